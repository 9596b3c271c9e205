// Parameters whose gradient only one of several processes keeps (ZeRO-2). In the others `.grad` is undefined, so
// whoever looks at gradients must ask here before it concludes that there is none.
#pragma once

#include <atomic>
#include <optional>
#include <vector>

namespace gradus::detail {

struct TensorImpl;

// `by` is who says so; the last one counts. forget_gradient_owner() does nothing where another one has said so since.
void set_gradient_owner(const TensorImpl* parameter, int rank, const void* by);
void forget_gradient_owner(const TensorImpl* parameter, const void* by);
// Unset where every process keeps it.
std::optional<int> gradient_owner(const TensorImpl* parameter);
extern constinit std::atomic<int> owned_gradients;  // how many there are; while there are none, a look costs no lock

// numbers[i] becomes what rank owners[i] has there; those of rank -1 stay. All processes call it with the same owners.
// Set by whoever connects the processes.
using NumbersOfOwners = void (*)(std::vector<double>& numbers, const std::vector<int>& owners);
extern constinit std::atomic<NumbersOfOwners> numbers_of_owners;

}  // namespace gradus::detail
