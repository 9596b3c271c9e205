// What an optimizer's step is measured against: the machine's bandwidth, and Adam in one pass as one would write it for
// one tensor. And the sizes of ResNet-50's parameters.
#pragma once

#include <gradus/core/parallel.h>
#include <gradus/core/shape.h>

#include <cmath>
#include <vector>

namespace by_hand {

inline constexpr std::int64_t kElements = 25'557'032;  // ResNet-50's

inline std::vector<gradus::Shape> resnet50() {
  using gradus::Shape;
  std::vector<Shape> shapes;
  const auto convolution = [&](std::int64_t out, std::int64_t in, std::int64_t size) {
    shapes.insert(shapes.end(), {Shape{out, in, size, size}, Shape{out}, Shape{out}});  // with its batch norm
  };
  convolution(64, 3, 7);
  std::int64_t in = 64, width = 64;
  for (int blocks : {3, 4, 6, 3}) {
    for (int block = 0; block < blocks; ++block) {
      convolution(width, in, 1);
      convolution(width, width, 3);
      convolution(4 * width, width, 1);
      if (block == 0) convolution(4 * width, in, 1);
      in = 4 * width;
    }
    width *= 2;
  }
  shapes.insert(shapes.end(), {Shape{1000, 2048}, Shape{1000}});
  return shapes;
}

#if defined(__x86_64__)
#define GRADUS_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define GRADUS_CLONES
#endif

GRADUS_CLONES inline void adam(float* p, const float* g, float* m, float* v, std::int64_t n, float step_size,
                               float root) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < n; ++i) {
    m[i] += 0.1F * (g[i] - m[i]);
    v[i] = 0.999F * v[i] + 0.001F * g[i] * g[i];
    p[i] -= step_size * m[i] / (std::sqrt(v[i]) * root + 1e-8F);
  }
}

GRADUS_CLONES inline void triad(float* a, const float* b, const float* c, std::int64_t n) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < n; ++i) a[i] = b[i] + 0.5F * c[i];
}

// body(begin, end) of the elements, a range for each thread.
template <class Body>
void in_threads(Body&& body) {
  const int threads = gradus::get_num_threads();
#pragma omp parallel for num_threads(threads)
  for (int i = 0; i < threads; ++i) body(kElements * i / threads, kElements * (i + 1) / threads);
}

}  // namespace by_hand
