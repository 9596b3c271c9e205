#pragma once

#include <omp.h>

namespace gradus::cpu {

// While one of these lives, libraries that take their number of threads from OpenMP use one: their pieces would depend
// on the number of threads, and so would the bits of the result.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

}  // namespace gradus::cpu
