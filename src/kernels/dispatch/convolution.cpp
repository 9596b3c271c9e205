// Convolutions as products of matrices: the windows of x become the columns of one (im2col), a block of output rows at
// a time. This serves float64, which oneDNN lacks, and what oneDNN has only reference loops for.
#include "kernels/dispatch/convolution.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/portable.h"
#include "core/threads/parallel.h"
#include "core/visit.h"
#include "kernels/cpu/conv/few_channels.h"
#include "kernels/dispatch/gemm.h"
#include "kernels/dispatch/pointwise_convolution.h"
#include "kernels/onednn/convolution.h"
#include "kernels/scratch.h"

namespace gradus::cpu {

namespace {

using std::int64_t;

constexpr int64_t kColumns = 1 << 16;      // numbers in a block of columns, about
constexpr int64_t kPerThread = 1'000'000;  // multiplications that make another thread worth its while

// The output positions [first, last) along one dimension whose input position lies within [0, in).
struct Range {
  int64_t first, last;

  Range(int64_t begin, int64_t end, int64_t offset, int64_t stride, int64_t in) {
    // Input positions are offset + stride * o.
    const int64_t low = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
    const int64_t high = offset >= in ? 0 : (in - 1 - offset) / stride + 1;
    first = std::clamp(low, begin, end);
    last = std::clamp(high, first, end);
  }
};

// Output rows, each of out[2] positions, of one group of one sample.
template <class T>
struct Windows {
  const Convolution& c;
  int64_t channels, positions, columns;  // input channels per group; rows and columns of the matrix

  explicit Windows(const Convolution& conv)
      : c(conv),
        channels(conv.in_channels / conv.groups),
        positions(channels * Convolution::volume(conv.kernel)),
        columns(Convolution::volume(conv.out)) {}

  // A window is one position, and they cover x in order: the matrix is x itself.
  bool is_plain() const {
    return c.kernel == Spatial3{1, 1, 1} && c.stride == Spatial3{1, 1, 1} && c.padding == Spatial3{0, 0, 0} &&
           c.in == c.out;
  }
  int64_t rows() const { return c.out[0] * c.out[1]; }
  int64_t rows_per_block() const {
    return std::clamp<int64_t>(kColumns / std::max<int64_t>(1, positions * c.out[2]), 1, rows());
  }

  // Calls row(position, column, x offset, first, count): for `count` output positions from `first` on in an output row,
  // whose x elements stand stride[2] apart from the offset on. What lies outside of x is passed with offset -1.
  template <class Row>
  void visit(int64_t begin, int64_t end, Row&& row) const {
    int64_t position = 0;
    for (int64_t channel = 0; channel < channels; ++channel) {
      for (int64_t kd = 0; kd < c.kernel[0]; ++kd) {
        for (int64_t kh = 0; kh < c.kernel[1]; ++kh) {
          for (int64_t kw = 0; kw < c.kernel[2]; ++kw, ++position) {
            const int64_t offset = kw * c.dilation[2] - c.padding[2];
            const Range inside(0, c.out[2], offset, c.stride[2], c.in[2]);
            for (int64_t r = begin; r < end; ++r) {
              const int64_t d = r / c.out[1] * c.stride[0] - c.padding[0] + kd * c.dilation[0];
              const int64_t h = r % c.out[1] * c.stride[1] - c.padding[1] + kh * c.dilation[1];
              const int64_t column = (r - begin) * c.out[2];
              if (d < 0 || d >= c.in[0] || h < 0 || h >= c.in[1] || inside.first == inside.last) {
                row(position, column, -1, 0, 0);
                continue;
              }
              const int64_t line = ((channel * c.in[0] + d) * c.in[1] + h) * c.in[2];
              row(position, column, line + offset + inside.first * c.stride[2], inside.first,
                  inside.last - inside.first);
            }
          }
        }
      }
    }
  }

  void gather(const T* x, int64_t begin, int64_t end, T* matrix) const {
    const int64_t width = c.out[2], ld = (end - begin) * width, stride = c.stride[2];
    visit(begin, end, [&](int64_t position, int64_t column, int64_t at, int64_t first, int64_t count) {
      T* to = matrix + position * ld + column;
      if (at < 0) {
        std::fill_n(to, width, T(0));
        return;
      }
      std::fill_n(to, first, T(0));
      if (stride == 1) {
        std::copy_n(x + at, count, to + first);
      } else {
        for (int64_t i = 0; i < count; ++i) to[first + i] = x[at + i * stride];
      }
      std::fill_n(to + first + count, width - first - count, T(0));
    });
  }

  void scatter_add(const T* matrix, int64_t begin, int64_t end, T* x) const {
    const int64_t ld = (end - begin) * c.out[2], stride = c.stride[2];
    visit(begin, end, [&](int64_t position, int64_t column, int64_t at, int64_t first, int64_t count) {
      if (at < 0) return;
      const T* from = matrix + position * ld + column + first;
      for (int64_t i = 0; i < count; ++i) x[at + i * stride] += from[i];
    });
  }
};

// Operands of one group of one sample.
template <class T>
struct Group {
  int64_t outs, out_size, in_size;

  explicit Group(const Convolution& c)
      : outs(c.out_channels / c.groups),
        out_size(outs * Convolution::volume(c.out)),
        in_size(c.in_channels / c.groups * Convolution::volume(c.in)) {}
};

int64_t grain(const Convolution& c) {
  return std::max<int64_t>(1, kPerThread * c.batch * c.groups / std::max<int64_t>(1, c.multiplications()));
}

template <class T>
void forward(const Convolution& c, const T* x, const T* w, const T* bias, T* y) {
  const Windows<T> windows(c);
  const Group<T> group(c);
  const int64_t step = windows.rows_per_block(), width = c.out[2];
  core::parallel_for(c.batch * c.groups, grain(c), [&](int64_t first, int64_t last) {
    const Scratch<T> matrix(windows.is_plain() ? 0 : windows.positions * step * width);
    for (int64_t i = first; i < last; ++i) {
      const int64_t g = i % c.groups;
      const T *from = x + i * group.in_size, *weights = w + g * group.outs * windows.positions;
      T* to = y + i * group.out_size;
      if (bias != nullptr) {
        for (int64_t o = 0; o < group.outs; ++o) {
          std::fill_n(to + o * windows.columns, windows.columns, bias[g * group.outs + o]);
        }
      }
      const T beta = bias != nullptr ? T(1) : T(0);
      if (windows.is_plain()) {
        gemm(false, false, group.outs, windows.columns, windows.positions, T(1), weights, windows.positions, from,
             windows.columns, beta, to, windows.columns);
        continue;
      }
      for (int64_t r = 0; r < windows.rows(); r += step) {
        const int64_t end = std::min(windows.rows(), r + step), n = (end - r) * width;
        windows.gather(from, r, end, matrix.get());
        gemm(false, false, group.outs, n, windows.positions, T(1), weights, windows.positions, matrix.get(), n, beta,
             to + r * width, windows.columns);
      }
    }
  });
}

template <class T>
void backward_data(const Convolution& c, const T* g, const T* w, T* gx) {
  const Windows<T> windows(c);
  const Group<T> group(c);
  const int64_t step = windows.rows_per_block(), width = c.out[2];
  core::parallel_for(c.batch * c.groups, grain(c), [&](int64_t first, int64_t last) {
    const Scratch<T> matrix(windows.is_plain() ? 0 : windows.positions * step * width);
    for (int64_t i = first; i < last; ++i) {
      const T *from = g + i * group.out_size, *weights = w + i % c.groups * group.outs * windows.positions;
      T* to = gx + i * group.in_size;
      if (windows.is_plain()) {
        gemm(true, false, windows.positions, windows.columns, group.outs, T(1), weights, windows.positions, from,
             windows.columns, T(0), to, windows.columns);
        continue;
      }
      std::fill_n(to, group.in_size, T(0));
      for (int64_t r = 0; r < windows.rows(); r += step) {
        const int64_t end = std::min(windows.rows(), r + step), n = (end - r) * width;
        gemm(true, false, windows.positions, n, group.outs, T(1), weights, windows.positions, from + r * width,
             windows.columns, T(0), matrix.get(), n);
        windows.scatter_add(matrix.get(), r, end, to);
      }
    }
  });
}

// Samples in order, whatever the number of threads; with one group, the product is what they share.
template <class T>
void backward_weight(const Convolution& c, const T* g, const T* x, T* gw) {
  const Windows<T> windows(c);
  const Group<T> group(c);
  const int64_t step = windows.rows_per_block(), width = c.out[2];
  std::fill_n(gw, c.weights(), T(0));
  core::parallel_for(c.groups, grain(c), [&](int64_t first, int64_t last) {
    const Scratch<T> matrix(windows.is_plain() ? 0 : windows.positions * step * width);
    for (int64_t k = first; k < last; ++k) {
      T* to = gw + k * group.outs * windows.positions;
      for (int64_t n = 0; n < c.batch; ++n) {
        const T *grad = g + (n * c.groups + k) * group.out_size, *from = x + (n * c.groups + k) * group.in_size;
        for (int64_t r = 0; r < windows.rows(); r += step) {
          const int64_t end = std::min(windows.rows(), r + step), count = (end - r) * width;
          const bool plain = windows.is_plain();
          if (!plain) windows.gather(from, r, end, matrix.get());
          gemm(false, true, group.outs, windows.positions, count, T(1), grad + r * width, windows.columns,
               plain ? from + r * width : matrix.get(), plain ? windows.columns : count, T(1), to, windows.positions);
        }
      }
    }
  });
}

// Whether oneDNN may be asked.
bool by_onednn(const Convolution& c) { return c.multiplications() != 0 && !core::is_portable(); }

// oneDNN's loops, but for those gradients that are faster as a product of matrices.
class OrAsProduct final : public ChannelsLast {
 public:
  OrAsProduct(Dtype dtype, const Convolution& c, std::shared_ptr<const ChannelsLast> loops)
      : dtype_(dtype), c_(c), loops_(std::move(loops)) {}

  std::shared_ptr<const PackedWeights> pack(Dtype w_dtype, const void* w, const Epilogue& then) const override {
    return loops_->pack(w_dtype, w, then);
  }
  bool fits(const PackedWeights& w, const Epilogue& then) const override { return loops_->fits(w, then); }
  void forward(const void* x, const PackedWeights& w, const Epilogue& then, void* y) const override {
    loops_->forward(x, w, then, y);
  }
  bool backward_data(const void* g, Dtype w_dtype, const void* w, void* gx) const override {
    return product_backward_data(dtype_, c_, g, w_dtype, w, gx) || loops_->backward_data(g, w_dtype, w, gx);
  }
  void backward_weight(const void* g, const void* x, float* gw) const override {
    if (!product_backward_weight(dtype_, c_, g, x, gw)) loops_->backward_weight(g, x, gw);
  }

 private:
  const Dtype dtype_;
  const Convolution c_;
  const std::shared_ptr<const ChannelsLast> loops_;
};

}  // namespace

void conv_forward(Dtype dtype, const Convolution& c, const void* x, const void* w, const void* bias, void* y) {
  const auto run = [&]<class T>(const T* from) {
    const auto *weights = static_cast<const T*>(w), *b = static_cast<const T*>(bias);
    T* to = static_cast<T*>(y);
    if (few_channels_is_best(c, ConvOperation::forward)) return few_channels_forward(c, from, weights, b, to);
    if constexpr (std::is_same_v<T, float>) {
      if (by_onednn(c) && onednn::conv_forward(c, from, weights, b, to)) return;
    }
    forward(c, from, weights, b, to);
  };
  visit<float, double>("convolution", dtype, [&]<class T>(T) { run(static_cast<const T*>(x)); });
}

void conv_backward_data(Dtype dtype, const Convolution& c, const void* g, const void* w, void* gx) {
  const auto run = [&]<class T>(const T* from) {
    const auto* weights = static_cast<const T*>(w);
    T* to = static_cast<T*>(gx);
    if (few_channels_is_best(c, ConvOperation::backward_data)) return few_channels_backward_data(c, from, weights, to);
    if constexpr (std::is_same_v<T, float>) {
      if (by_onednn(c) && onednn::conv_backward_data(c, from, weights, to)) return;
    }
    backward_data(c, from, weights, to);
  };
  visit<float, double>("convolution", dtype, [&]<class T>(T) { run(static_cast<const T*>(g)); });
}

void conv_backward_weight(Dtype dtype, const Convolution& c, const void* g, const void* x, void* gw) {
  const auto run = [&]<class T>(const T* from) {
    const auto* input = static_cast<const T*>(x);
    T* to = static_cast<T*>(gw);
    if (few_channels_is_best(c, ConvOperation::backward_weight))
      return few_channels_backward_weight(c, from, input, to);
    if constexpr (std::is_same_v<T, float>) {
      if (by_onednn(c) && onednn::conv_backward_weight(c, from, input, to)) return;
    }
    backward_weight(c, from, input, to);
  };
  visit<float, double>("convolution", dtype, [&]<class T>(T) { run(static_cast<const T*>(g)); });
}

std::shared_ptr<const ChannelsLast> conv_channels_last(Dtype dtype, const Convolution& c) {
  if (core::is_portable()) return nullptr;
  auto loops = onednn::channels_last(dtype, c);
  return loops ? std::make_shared<const OrAsProduct>(dtype, c, std::move(loops)) : nullptr;
}

}  // namespace gradus::cpu
