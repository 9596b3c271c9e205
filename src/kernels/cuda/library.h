// What libgradus_cuda.so gives to the library that loads it. Both must be built from the same sources; the version
// notices most differences.
#pragma once

#include "core/memory/backend.h"
#include "kernels/dispatch/kernels.h"

namespace gradus::cuda_library {

struct Library {
  const Kernels* kernels;
  core::Backend* backend;
  // Kernels that this thread asks for from now on are for the device of this index.
  void (*select)(int index);
};

// Changes whenever the two sides would not understand each other.
struct Version {
  std::size_t kernels = sizeof(Kernels), rules = sizeof(kernel::Rules), product = sizeof(kernel::Product);
  int table = 3;
  friend bool operator==(const Version&, const Version&) = default;
};

inline constexpr const char* kEntry = "gradus_cuda_library";
// Null where the versions differ.
using Entry = const Library* (*)(const Version& version);

}  // namespace gradus::cuda_library
