// Convolutions: products of matrices with the windows of an image laid out as columns, some samples at a time. With
// groups, which have few channels each, every element of the result is summed by itself.
#include <algorithm>

#include "core/visit.h"
#include "kernels/gpu/kernels.h"
#include "kernels/gpu/reducers.h"
#include "kernels/inline.h"

namespace gradus::gpu {

namespace {

constexpr Int kColumns = Int{1} << 26;  // elements of columns that are laid out at a time

// The sizes and steps of a convolution, as kernels need them.
struct Geometry {
  Int batch, groups, in_channels, out_channels;  // channels of a group
  Int in[3], kernel[3], out[3], stride[3], dilation[3], padding[3];

  explicit Geometry(const Convolution& c)
      : batch(c.batch),
        groups(c.groups),
        in_channels(c.in_channels / c.groups),
        out_channels(c.out_channels / c.groups) {
    for (std::size_t d = 0; d < 3; ++d) {
      in[d] = c.in[d];
      kernel[d] = c.kernel[d];
      out[d] = c.out[d];
      stride[d] = c.stride[d];
      dilation[d] = c.dilation[d];
      padding[d] = c.padding[d];
    }
  }
  GRADUS_INLINE Int taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  GRADUS_INLINE Int ins() const { return in[0] * in[1] * in[2]; }
  GRADUS_INLINE Int outs() const { return out[0] * out[1] * out[2]; }
  GRADUS_DEVICE static void split(Int i, const Int (&sizes)[3], Int (&at)[3]) {
    at[2] = i % sizes[2];
    at[1] = i / sizes[2] % sizes[1];
    at[0] = i / (sizes[2] * sizes[1]);
  }
  // The input position that tap k reads for output p, or -1 beyond the image.
  GRADUS_DEVICE Int read(Int p, Int k) const {
    Int at[3], tap[3], place = 0;
    split(p, out, at);
    split(k, kernel, tap);
    for (int d = 0; d < 3; ++d) {
      const Int x = at[d] * stride[d] - padding[d] + tap[d] * dilation[d];
      if (x < 0 || x >= in[d]) return -1;
      place = place * in[d] + x;
    }
    return place;
  }
  // The output position for which tap k reads input x, or -1.
  GRADUS_DEVICE Int written(Int x, Int k) const {
    Int at[3], tap[3], place = 0;
    split(x, in, at);
    split(k, kernel, tap);
    for (int d = 0; d < 3; ++d) {
      const Int from = at[d] + padding[d] - tap[d] * dilation[d];
      if (from < 0 || from % stride[d] != 0 || from / stride[d] >= out[d]) return -1;
      place = place * out[d] + from / stride[d];
    }
    return place;
  }
};

// columns[c taps + k, n, p] with the given distances, of `samples` samples of x.
template <class T>
struct LayColumns {
  Geometry g;
  Int samples, row_step, sample_step;
  Global<const T> x;
  Global<T> columns;
  GRADUS_DEVICE void operator()(Int i) const {
    const Int p = i % g.outs(), n = i / g.outs() % samples, row = i / (g.outs() * samples);
    const Int from = g.read(p, row % g.taps());
    const Int plane = n * g.in_channels + row / g.taps();
    columns[row * row_step + n * sample_step + p] = from < 0 ? T(0) : x[plane * g.ins() + from];
  }
};

// The sum of what columns [n, c taps + k, p] have of each element of the image.
template <class T>
struct GatherColumns {
  Geometry g;
  Global<const T> columns;
  Global<T> gx;
  GRADUS_DEVICE void operator()(Int i) const {
    const Int x = i % g.ins(), plane = i / g.ins();
    T sum = 0;
    for (Int k = 0; k < g.taps(); ++k) {
      const Int p = g.written(x, k);
      if (p >= 0) sum += columns[(plane * g.taps() + k) * g.outs() + p];
    }
    gx[i] = sum;
  }
};

template <class T>
struct AddBias {
  Int channels, outs;
  Global<const T> bias;
  Global<T> y;
  GRADUS_DEVICE void operator()(Int i) const { y[i] += bias[i / outs % channels]; }
};

// [n, o, p] to [o, n, p]
template <class T>
struct SamplesInside {
  Int samples, channels, outs;
  Global<const T> g;
  Global<T> to;
  GRADUS_DEVICE void operator()(Int i) const {
    const Int p = i % outs, n = i / outs % samples, o = i / (outs * samples);
    to[i] = g[(n * channels + o) * outs + p];
  }
};

// --- with groups ---

template <class T>
struct GroupForward {
  Geometry g;
  Global<const T> x, w, bias;
  Global<T> y;
  GRADUS_DEVICE void operator()(Int i) const {
    const Int p = i % g.outs(), channels = g.groups * g.out_channels, o = i / g.outs() % channels,
              n = i / (g.outs() * channels);
    const Int first = n * g.groups * g.in_channels + o / g.out_channels * g.in_channels;
    T sum = bias ? bias[o] : T(0);
    for (Int k = 0; k < g.taps(); ++k) {
      const Int from = g.read(p, k);
      if (from < 0) continue;
      for (Int c = 0; c < g.in_channels; ++c)
        sum += w[(o * g.in_channels + c) * g.taps() + k] * x[(first + c) * g.ins() + from];
    }
    y[i] = sum;
  }
};

template <class T>
struct GroupBackwardData {
  Geometry g;
  Global<const T> grad, w;
  Global<T> gx;
  GRADUS_DEVICE void operator()(Int i) const {
    const Int x = i % g.ins(), channels = g.groups * g.in_channels, c = i / g.ins() % channels,
              n = i / (g.ins() * channels);
    const Int group = c / g.in_channels, within = c % g.in_channels;
    T sum = 0;
    for (Int k = 0; k < g.taps(); ++k) {
      const Int p = g.written(x, k);
      if (p < 0) continue;
      for (Int o = group * g.out_channels; o < (group + 1) * g.out_channels; ++o)
        sum +=
            w[(o * g.in_channels + within) * g.taps() + k] * grad[(n * g.groups * g.out_channels + o) * g.outs() + p];
    }
    gx[i] = sum;
  }
};

template <class T>
struct GroupBackwardWeight {
  Geometry g;
  Global<const T> grad, x;
  Global<T> gw;
  GRADUS_DEVICE void operator()(const Block& block) const {
    const Int i = block.index(), k = i % g.taps(), c = i / g.taps() % g.in_channels, o = i / (g.taps() * g.in_channels);
    const Int channel = o / g.out_channels * g.in_channels + c;
    const T sum = block.template reduce<SumOf<T>, T>(g.batch * g.outs(), [&](Int e) {
      const Int p = e % g.outs(), n = e / g.outs(), from = g.read(p, k);
      if (from < 0) return T(0);
      return grad[(n * g.groups * g.out_channels + o) * g.outs() + p] *
             x[(n * g.groups * g.in_channels + channel) * g.ins() + from];
    });
    block.each(1, [&](Int) { gw[i] = sum; });
  }
};

// The image is its own columns.
bool is_product(const Convolution& c) {
  return Convolution::volume(c.kernel) == 1 && c.in == c.out && c.stride == kernel::Spatial3{1, 1, 1} &&
         c.padding == kernel::Spatial3{0, 0, 0};
}

// Calls part(first sample, samples) for as many samples at a time as columns are laid out for.
template <class Fn>
void for_samples(const Convolution& c, Int rows, const Fn& part) {
  const Int each = std::max<Int>(1, rows * Convolution::volume(c.out));
  const Int most = std::clamp<Int>(kColumns / each, 1, std::max<Int>(1, c.batch));
  for (Int n = 0; n < c.batch; n += most) part(n, std::min(most, c.batch - n));
}

template <class T>
void forward(const Convolution& c, const T* x, const T* w, const T* bias, T* y) {
  const Geometry g(c);
  const Int outs = g.outs(), rows = c.in_channels * g.taps();
  if (c.batch * c.out_channels * outs == 0) return;
  if (c.groups > 1) {
    launch(c.batch * c.out_channels * outs, GroupForward<T>{g, x, w, bias, y});
    return;
  }
  for_samples(c, rows, [&](Int n, Int samples) {
    const bool direct = is_product(c);
    const Scratch<T> own(direct ? 0 : samples * rows * outs);
    const T* columns = direct ? x + n * rows * outs : own.get();
    if (!direct) {
      launch(samples * rows * outs,
             LayColumns<T>{g, samples, outs, rows * outs, x + n * c.in_channels * g.ins(), own.get()});
    }
    Product p{.dtype = DtypeOf<T>::value, .m = c.out_channels, .n = outs, .k = rows};
    p.a = w;
    p.lda = std::max<Int>(1, rows);
    p.b = columns;
    p.ldb = outs;
    p.c = y + n * c.out_channels * outs;
    p.ldc = outs;
    gemm_batch(p, {samples, 0, rows * outs, c.out_channels * outs});
  });
  if (bias != nullptr) launch(c.batch * c.out_channels * outs, AddBias<T>{c.out_channels, outs, bias, y});
}

template <class T>
void backward_data(const Convolution& c, const T* grad, const T* w, T* gx) {
  const Geometry g(c);
  const Int outs = g.outs(), rows = c.in_channels * g.taps();
  if (c.batch * c.in_channels * g.ins() == 0) return;
  if (c.groups > 1) {
    launch(c.batch * c.in_channels * g.ins(), GroupBackwardData<T>{g, grad, w, gx});
    return;
  }
  for_samples(c, rows, [&](Int n, Int samples) {
    const bool direct = is_product(c);
    const Scratch<T> own(direct ? 0 : samples * rows * outs);
    T* const to = gx + n * c.in_channels * g.ins();
    Product p{.dtype = DtypeOf<T>::value, .trans_a = true, .m = rows, .n = outs, .k = c.out_channels};
    p.a = w;
    p.lda = std::max<Int>(1, rows);
    p.b = grad + n * c.out_channels * outs;
    p.ldb = std::max<Int>(1, outs);
    p.c = direct ? to : own.get();
    p.ldc = std::max<Int>(1, outs);
    if (outs > 0) gemm_batch(p, {samples, 0, c.out_channels * outs, rows * outs});
    if (!direct) launch(samples * c.in_channels * g.ins(), GatherColumns<T>{g, own.get(), to});
  });
}

template <class T>
void backward_weight(const Convolution& c, const T* grad, const T* x, T* gw) {
  const Geometry g(c);
  const Int outs = g.outs(), rows = c.in_channels / c.groups * g.taps();
  if (c.out_channels * rows == 0) return;
  if (c.groups > 1) {
    launch_blocks(c.out_channels * rows, threads_for(c.batch * outs), GroupBackwardWeight<T>{g, grad, x, gw});
    return;
  }
  if (c.batch * outs == 0) return clear(gw, static_cast<std::size_t>(c.out_channels * rows) * sizeof(T));
  for_samples(c, rows + c.out_channels, [&](Int n, Int samples) {
    const Int depth = samples * outs;
    const Scratch<T> columns(rows * depth), turned(samples > 1 ? c.out_channels * depth : 0);
    launch(rows * depth, LayColumns<T>{g, samples, depth, outs, x + n * c.in_channels * g.ins(), columns.get()});
    const T* of_y = grad + n * c.out_channels * outs;
    if (samples > 1) {
      launch(c.out_channels * depth, SamplesInside<T>{samples, c.out_channels, outs, of_y, turned.get()});
      of_y = turned.get();
    }
    Product p{.dtype = DtypeOf<T>::value, .trans_b = true, .m = c.out_channels, .n = rows, .k = depth};
    p.a = of_y;
    p.lda = depth;
    p.b = columns.get();
    p.ldb = depth;
    p.c = gw;
    p.ldc = rows;
    p.beta = n == 0 ? 0 : 1;
    gemm(p);
  });
}

}  // namespace

void conv_forward(Dtype dtype, const Convolution& c, const void* x, const void* w, const void* bias, void* y) {
  visit<float, double>("convolution", dtype, [&]<class T>(T) {
    forward(c, static_cast<const T*>(x), static_cast<const T*>(w), static_cast<const T*>(bias), static_cast<T*>(y));
  });
}

void conv_backward_data(Dtype dtype, const Convolution& c, const void* g, const void* w, void* gx) {
  visit<float, double>("convolution", dtype, [&]<class T>(T) {
    backward_data(c, static_cast<const T*>(g), static_cast<const T*>(w), static_cast<T*>(gx));
  });
}

void conv_backward_weight(Dtype dtype, const Convolution& c, const void* g, const void* x, void* gw) {
  visit<float, double>("convolution", dtype, [&]<class T>(T) {
    backward_weight(c, static_cast<const T*>(g), static_cast<const T*>(x), static_cast<T*>(gw));
  });
}

}  // namespace gradus::gpu
