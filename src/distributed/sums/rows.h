// Numbers that ranks have found each, brought together.
#pragma once

#include <string>
#include <vector>

namespace gradus::distributed {

using Rows = std::vector<std::vector<double>>;

// The rows of all ranks, by their first number; `what` says what they are. Of a process that is alone, its own.
Rows gather_rows(const std::string& what, const Rows& own);

}  // namespace gradus::distributed
