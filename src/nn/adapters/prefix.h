// How attention takes the prefixes of its active adapters.
#pragma once

#include <gradus/nn/module.h>

namespace gradus::nn::detail {

// How many positions they have.
std::int64_t prefix_length(const Module& attention);

// Puts them before keys and values [batch, heads, positions, size].
void put_prefix(const Module& attention, Tensor& k, Tensor& v);

}  // namespace gradus::nn::detail
