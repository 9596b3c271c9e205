// OpenMP as other libraries have it. This one starts no region of its own; but oneDNN, and a BLAS, may be built with
// it, and a program may call from within its own regions. Where no OpenMP runtime is loaded these functions are not
// there.
#pragma once

extern "C" {
[[gnu::weak]] int omp_in_parallel(void);
[[gnu::weak]] int omp_get_max_threads(void);
[[gnu::weak]] void omp_set_num_threads(int);
}

namespace gradus::core {

inline bool in_openmp_region() { return omp_in_parallel != nullptr && omp_in_parallel() != 0; }

/// While one of these lives, libraries that this thread calls start no OpenMP threads. Their pieces would depend on the
/// number of threads, and so would the bits of the result; and threads that wait for each other would spin.
class OneOpenMPThread {
 public:
  OneOpenMPThread() {
    if (omp_set_num_threads == nullptr) return;
    before_ = omp_get_max_threads();
    omp_set_num_threads(1);
  }
  ~OneOpenMPThread() {
    if (omp_set_num_threads != nullptr) omp_set_num_threads(before_);
  }
  OneOpenMPThread(const OneOpenMPThread&) = delete;
  OneOpenMPThread& operator=(const OneOpenMPThread&) = delete;

 private:
  int before_ = 1;
};

}  // namespace gradus::core
