// The calls that tests/traces/mathematics.json names.
#pragma once

#include <gradus/tensor.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace gradus::test {

using Tensors = std::vector<Tensor>;
using Call = std::function<Tensors(const Tensors&)>;

const std::map<std::string, Call>& mathematics_calls();

}  // namespace gradus::test
