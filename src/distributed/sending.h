// Tensors of the host's memory that ranks send to each other.
#pragma once

#include <gradus/tensor.h>

#include <string>
#include <vector>

#include "distributed/group.h"

namespace gradus::distributed {

std::size_t bytes_of(const Tensor& x);

// From one rank to another, `bytes` in all. All ranks call it; those that neither send nor receive need no tensors.
// `what` says what they are.
void send_tensors(Group& group, const std::string& what, int from, int to, const std::vector<Tensor>& tensors,
                  std::size_t bytes);
// Those of each rank to all others, at the same time. All ranks call it with the same sizes.
void exchange_tensors(Group& group, const std::string& what, const std::vector<std::vector<Tensor>>& by_rank);

}  // namespace gradus::distributed
