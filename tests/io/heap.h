// How much memory a test takes at most: from operator new, which this program replaces, and from the tensors'
// allocator.
#pragma once

#include <cstdint>

namespace gradus::test {

// False under sanitizers that have an allocator of their own.
bool heap_is_watched();

class HeapWatch {
 public:
  HeapWatch();
  std::int64_t peak_bytes() const;  // above what was in use at the start

 private:
  std::int64_t start_;
};

}  // namespace gradus::test
