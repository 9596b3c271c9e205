// Pooling and resampling: what the kernels of every device are given. The tables lie in the host's memory.
#pragma once

#include <gradus/core/dtype.h>

#include <array>
#include <cstdint>
#include <vector>

namespace gradus::kernel {

// The input positions begin, begin + step, ... below end, for one output position along one dimension.
struct Window {
  std::int64_t begin, end, step;
  std::int64_t count;  // what a mean along this dimension divides by
};

struct Pooling {
  std::int64_t planes = 0;
  std::int64_t channels = 1;  // beside each other at each position of a plane: channels-last if there are several
  std::array<std::int64_t, 3> in{1, 1, 1};
  std::array<std::vector<Window>, 3> windows;  // of depth, height and width; none is empty
  std::int64_t divisor = 0;                    // of a mean; 0: the product of the windows' counts

  std::int64_t in_size() const { return in[0] * in[1] * in[2]; }
  std::int64_t out_size() const {
    return static_cast<std::int64_t>(windows[0].size() * windows[1].size() * windows[2].size());
  }
};

// Planes of x and y, and where in its plane of x each element of y was found.
struct Picks {
  std::int64_t planes = 0, channels = 1, in_size = 0, out_size = 0;
  const std::int32_t* places = nullptr;
};

// y[o, i, n] = sum over t of weights[i, t] x[o, index[i, t], n]
struct Taps {
  std::int64_t in = 0, out = 0, count = 1;  // `count` taps for each of `out` positions
  std::vector<std::int64_t> index;          // [out, count], in [0, in)
  std::vector<double> weights;              // [out, count]
};

}  // namespace gradus::kernel
