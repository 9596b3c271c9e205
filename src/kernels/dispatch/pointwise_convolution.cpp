#include "kernels/dispatch/pointwise_convolution.h"

#include <algorithm>

#include "core/threads/parallel.h"
#include "core/visit.h"
#include "kernels/cpu/simd/bfloat16.h"
#include "kernels/dispatch/gemm.h"
#include "kernels/scratch.h"

namespace gradus::cpu {

namespace {

using std::int64_t;

// A gradient of a convolution with a window of one position, as a product of matrices; where there is a stride, after
// what it leaves out has been left out. In bfloat16, that takes a third to all of the time. In float32 it pays where an
// image has few positions, and more weights than stay in the second cache: as convolutions, oneDNN reads them again for
// each image. `wins` says of float32 what else was measured.
bool is_product(Dtype dtype, const Convolution& c, bool wins) {
  constexpr int64_t kFewPositions = 64, kManyWeights = 1 << 19;
  if (!c.channels_last || c.groups != 1 || Convolution::volume(c.kernel) != 1 || c.padding != Spatial3{0, 0, 0})
    return false;
  return dtype == kBFloat16 || (wins && Convolution::volume(c.out) <= kFewPositions && c.weights() >= kManyWeights);
}

bool multiply(bool trans_a, int64_t m, int64_t n, int64_t k, const BFloat16* a, int64_t lda, const BFloat16* b,
              Dtype to_dtype, void* to) {
  return gemm_bfloat16(trans_a, false, m, n, k, a, lda, b, n, to_dtype, to, n);
}
bool multiply(bool trans_a, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b, Dtype,
              void* to) {
  gemm(trans_a, false, m, n, k, 1.0F, a, lda, b, n, 0.0F, static_cast<float*>(to), n);
  return true;
}

// The rows of x that a convolution with a window of one position reads: all, or some.
struct RowsRead {
  const Convolution& c;
  int64_t count;

  explicit RowsRead(const Convolution& conv) : c(conv), count(conv.batch * Convolution::volume(conv.out)) {}
  bool all() const { return c.stride == Spatial3{1, 1, 1}; }

  // Calls copy(place in x, place among those read) for each.
  template <class F>
  void visit(F&& copy) const {
    core::parallel_for(count, std::max<int64_t>(1, 16384 / c.in_channels), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t w = i % c.out[2], h = i / c.out[2] % c.out[1], d = i / (c.out[2] * c.out[1]) % c.out[0];
        const int64_t n = i / Convolution::volume(c.out);
        copy(((n * c.in[0] + d * c.stride[0]) * c.in[1] + h * c.stride[1]) * c.in[2] + w * c.stride[2], i);
      }
    });
  }
};

template <class T>
bool weight_product(const Convolution& c, const T* g, const T* x, float* gw) {
  const RowsRead rows(c);
  const int64_t wide = c.in_channels;
  const Scratch<T> some(rows.all() ? 0 : rows.count * wide);
  if (!rows.all()) rows.visit([&](int64_t in, int64_t i) { std::copy_n(x + in * wide, wide, some.get() + i * wide); });
  return multiply(true, c.out_channels, wide, rows.count, g, c.out_channels, rows.all() ? x : some.get(), kFloat32, gw);
}

template <class T>
bool data_product(const Convolution& c, const T* g, const T* w, T* gx) {
  const RowsRead rows(c);
  const int64_t wide = c.in_channels;
  const Scratch<T> some(rows.all() ? 0 : rows.count * wide);
  const Dtype dtype = std::is_same_v<T, float> ? kFloat32 : kBFloat16;
  if (!multiply(false, rows.count, wide, c.out_channels, g, c.out_channels, w, dtype, rows.all() ? gx : some.get())) {
    return false;
  }
  if (!rows.all()) {
    std::fill_n(gx, c.batch * Convolution::volume(c.in) * wide, T(0));
    rows.visit([&](int64_t in, int64_t i) { std::copy_n(some.get() + i * wide, wide, gx + in * wide); });
  }
  return true;
}

// The weights in bfloat16, rounded where they are float32.
bool rounded_data_product(const Convolution& c, const BFloat16* g, Dtype w_dtype, const void* w, BFloat16* gx) {
  if (w_dtype == kBFloat16) return data_product(c, g, static_cast<const BFloat16*>(w), gx);
  const Scratch<BFloat16> rounded(c.weights());
  core::parallel_for(c.weights(), 65536, [&](int64_t begin, int64_t end) {
    simd_call<RoundBody>(static_cast<const float*>(w) + begin, end - begin, rounded.get() + begin);
  });
  return data_product<BFloat16>(c, g, rounded.get(), gx);
}

}  // namespace

bool product_backward_data(Dtype dtype, const Convolution& c, const void* g, Dtype w_dtype, const void* w, void* gx) {
  if (!is_product(dtype, c, true)) return false;
  bool done = false;
  visit<float, BFloat16>("convolution", dtype, [&]<class T>(T) {
    const auto* from = static_cast<const T*>(g);
    if constexpr (std::is_same_v<T, float>) {
      done = data_product(c, from, static_cast<const float*>(w), static_cast<float*>(gx));
    } else {
      done = rounded_data_product(c, from, w_dtype, w, static_cast<BFloat16*>(gx));
    }
  });
  return done;
}

bool product_backward_weight(Dtype dtype, const Convolution& c, const void* g, const void* x, float* gw) {
  const bool strided = c.stride != Spatial3{1, 1, 1};
  if (!is_product(dtype, c, strided || c.in_channels > c.out_channels)) return false;
  bool done = false;
  visit<float, BFloat16>("convolution", dtype, [&]<class T>(T) {
    done = weight_product(c, static_cast<const T*>(g), static_cast<const T*>(x), gw);
  });
  return done;
}

}  // namespace gradus::cpu
