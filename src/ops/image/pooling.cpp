// Pooling. A mean is linear in its input. A maximum is too, once it is known where each one stands: its gradient puts
// to those places, and the gradient of that picks from them.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>
#include <gradus/ops/pooling.h>
#include <gradus/ops/resampling.h>
#include <gradus/ops/unpooling.h>

#include <algorithm>
#include <limits>

#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"
#include "ops/elementwise/elementwise.h"
#include "ops/image/pooling.h"
#include "ops/image/spatial.h"
#include "ops/shape/layout.h"

namespace gradus {

using namespace ops;

namespace {

using kernel::Pooling;
using kernel::Window;

// Whether x is taken with its channels last, as it lies. Without a batch, the second size is none of channels.
bool is_channels_last(const Tensor& x, const Pooling& p) {
  return has_rows(x.dtype()) && prefers_channels_last(x) && p.planes == x.sizes()[0] * x.sizes()[1] &&
         p.in_size() <= std::numeric_limits<std::int32_t>::max();
}

// The same pooling, of samples with all their channels as one plane.
void take_samples(Pooling& p, std::int64_t channels) {
  p.planes /= channels;
  p.channels = channels;
}

// An operand as the kernels take it, and room for a result beside it.
Tensor operand(const Tensor& x, std::int64_t channels) {
  return channels > 1 ? to_channels_last(x) : x.to(compute_type(x.dtype())).contiguous();
}
Tensor room(const Shape& sizes, const Tensor& x, std::int64_t channels) {
  return channels > 1 ? detail::make_channels_last(sizes, x.dtype(), x.device())
                      : detail::make_empty(sizes, x.dtype(), x.device());
}

// What a pooling of maxima found: [planes, out, channels] positions in [0, in_size), open or closed by a ReLU.
struct Places {
  Tensor places;
  Shape in, out;
  std::int64_t planes = 0, channels = 1, in_size = 0, out_size = 0;

  kernel::Picks picks() const { return {planes, channels, in_size, out_size, places.data_ptr<std::int32_t>()}; }
};

Tensor put(const Places& where, const Tensor& g);

struct Pick final : Op {
  Places where;
  explicit Pick(Places w) : where(std::move(w)) {}
  const char* name() const override { return "max_pool_pick"; }
  Tensor forward(const Tensor& x_given) {
    const Tensor x = operand(x_given, where.channels), y = room(where.out, x, where.channels);
    kernels(x.device()).pool_pick(x.dtype(), where.picks(), x.impl()->data, y.impl()->data);
    return y.to(x_given.dtype());
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = put(where, g); }
};

struct Put final : Op {
  Places where;
  explicit Put(Places w) : where(std::move(w)) {}
  const char* name() const override { return "max_pool_backward"; }
  Tensor forward(const Tensor& g_given) {
    const Tensor g = operand(g_given, where.channels), gx = room(where.in, g, where.channels);
    kernels(g.device()).pool_put(g.dtype(), where.picks(), g.impl()->data, gx.impl()->data);
    return gx.to(g_given.dtype());
  }
  void backward(const Tensor& gg, Grads gx) override { gx[0] = apply(Pick(where), gg); }
  std::int64_t flops(const Tensor&, const Tensor& g) const { return g.numel(); }
};

Tensor put(const Places& where, const Tensor& g) { return apply(Put(where), g); }

std::int64_t window_elements(const Pooling& p) {
  std::int64_t total = p.planes * p.channels;
  for (const auto& windows : p.windows) {
    std::int64_t sum = 0;
    for (const Window& w : windows) sum += (w.end - w.begin + w.step - 1) / w.step;
    total *= sum;
  }
  return total;
}

struct MaxPool final : Op {
  Pooling pooling;
  bool relu;  // of the maxima
  Places where;
  Places* found = nullptr;  // told by forward, where it is asked for
  MaxPool(Pooling p, const Shape& in, const Shape& out, bool r)
      : pooling(std::move(p)), relu(r), where{.places = {}, .in = in, .out = out} {}
  const char* name() const override { return "max_pool"; }
  Tensor forward(const Tensor& x_given) {
    if (is_channels_last(x_given, pooling)) take_samples(pooling, x_given.sizes()[1]);
    const Tensor x = operand(x_given, pooling.channels), y = room(where.out, x, pooling.channels);
    where.planes = pooling.planes;
    where.channels = pooling.channels;
    where.in_size = pooling.in_size();
    where.out_size = pooling.out_size();
    where.places = detail::make_empty(where.out, kInt32, x.device());
    kernels(x.device())
        .max_pool(x.dtype(), pooling, relu, x.impl()->data, y.impl()->data, where.places.data_ptr<std::int32_t>());
    if (found != nullptr) *found = where;
    found = nullptr;
    return y.to(x_given.dtype());
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = put(where, g); }
  std::int64_t flops(const Tensor&, const Tensor&) const { return window_elements(pooling); }
};

struct AvgPool final : Op {
  Pooling pooling;
  Shape in, out;
  bool backwards;
  AvgPool(Pooling p, const Shape& i, const Shape& o, bool b) : pooling(std::move(p)), in(i), out(o), backwards(b) {}
  const char* name() const override { return backwards ? "avg_pool_backward" : "avg_pool"; }
  Tensor forward(const Tensor& x_given) {
    if (pooling.channels == 1 && is_channels_last(x_given, pooling)) take_samples(pooling, x_given.sizes()[1]);
    const Tensor x = operand(x_given, pooling.channels), y = room(backwards ? in : out, x, pooling.channels);
    const Kernels& of = kernels(x.device());
    (backwards ? of.avg_pool_backward : of.avg_pool)(x.dtype(), pooling, x.impl()->data, y.impl()->data);
    return y.to(x_given.dtype());
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = apply(AvgPool(pooling, in, out, !backwards), g); }
  std::int64_t flops(const Tensor&, const Tensor&) const { return window_elements(pooling); }
};

// --- windows and checks ---

template <int N>
Pooling start(const char* call, const Tensor& x) {
  if (x.dim() != N + 1 && x.dim() != N + 2) {
    throw ShapeError(std::string(call) + ": need x of " + std::to_string(N + 2) + " dimensions (" +
                     std::to_string(N + 1) + " without a batch), got " + to_string(x.sizes()));
  }
  if (!x.is_floating_point()) {
    throw DtypeError(std::string(call) + ": needs a floating-point tensor, got " + to_string(x.dtype()));
  }
  Pooling p;
  p.planes = 1;
  const int outer = static_cast<int>(x.dim()) - N;
  for (int d = 0; d < outer; ++d) p.planes *= x.sizes()[d];
  for (auto& windows : p.windows) windows = {{0, 1, 1, 1}};
  for (int i = 0; i < N; ++i) {
    const std::int64_t size = x.sizes()[outer + i];
    if (size == 0) {
      throw ShapeError(std::string(call) + ": spatial sizes must not be 0, got " + to_string(x.sizes()));
    }
    p.in[static_cast<std::size_t>(i + 3 - N)] = size;
  }
  return p;
}

template <int N>
Shape result_sizes(const Tensor& x, const Pooling& p) {
  Shape out = x.sizes();
  for (int i = 0; i < N; ++i) {
    out[out.rank() - N + i] = static_cast<std::int64_t>(p.windows[static_cast<std::size_t>(i + 3 - N)].size());
  }
  return out;
}

template <int N>
Pooling windows_of(const char* call, const Tensor& x, const Spatial<N>& kernel, const Spatial<N>& stride,
                   const Spatial<N>& padding, const Spatial<N>& dilation, bool ceil_mode, bool count_padding) {
  check_at_least(call, "kernel_size", kernel, 1);
  check_at_least(call, "stride", stride, 1);
  check_at_least(call, "padding", padding, 0);
  check_at_least(call, "dilation", dilation, 1);
  Pooling p = start<N>(call, x);
  for (int i = 0; i < N; ++i) {
    const auto d = static_cast<std::size_t>(i + 3 - N);
    if (padding[i] > ((kernel[i] - 1) * dilation[i] + 1) / 2) {
      throw ValueError(std::string(call) + ": padding must be at most half of the kernel, got padding " +
                       list(padding) + ", kernel_size " + list(kernel) + " and dilation " + list(dilation));
    }
    const std::int64_t in = p.in[d], reach = dilation[i] * (kernel[i] - 1) + 1;
    const std::int64_t room = in + 2 * padding[i] - reach + (ceil_mode ? stride[i] - 1 : 0);
    std::int64_t out = room < 0 ? 0 : room / stride[i] + 1;
    if (ceil_mode && (out - 1) * stride[i] >= in + padding[i]) --out;
    if (out == 0) {
      throw ShapeError(std::string(call) + ": the window does not fit: x " + to_string(x.sizes()) + ", kernel_size " +
                       list(kernel) + ", padding " + list(padding) + ", dilation " + list(dilation));
    }
    p.windows[d].clear();
    for (std::int64_t o = 0; o < out; ++o) {
      const std::int64_t first = o * stride[i] - padding[i], past = first + reach;
      Window w{first, std::min(past, in), dilation[i], std::min(past, in + padding[i]) - first};
      while (w.begin < 0) w.begin += dilation[i];
      if (!count_padding) w.count = w.end - w.begin;
      p.windows[d].push_back(w);
    }
  }
  return p;
}

template <int N>
Pooling adaptive_windows(const char* call, const Tensor& x, const Spatial<N>& size) {
  Pooling p = start<N>(call, x);
  for (int i = 0; i < N; ++i) {
    const auto d = static_cast<std::size_t>(i + 3 - N);
    const std::int64_t in = p.in[d], out = size[i] == kSameSize ? in : size[i];
    if (out < 0 || out > std::numeric_limits<std::int32_t>::max()) {
      throw ValueError(std::string(call) + ": output_size must not be negative, nor above 2^31 - 1, got " + list(size));
    }
    p.windows[d].clear();
    for (std::int64_t o = 0; o < out; ++o) {
      const std::int64_t begin = o * in / out, end = ((o + 1) * in + out - 1) / out;
      p.windows[d].push_back({begin, end, 1, end - begin});
    }
  }
  return p;
}

template <int N>
Tensor largest(const char* call, const Tensor& x, Pooling p, bool relu, Places* found = nullptr) {
  if (p.in_size() > std::numeric_limits<std::int32_t>::max()) {
    throw ShapeError(std::string(call) + ": need spatial sizes whose product is below 2^31, got " +
                     to_string(x.sizes()));
  }
  const Shape out = result_sizes<N>(x, p);
  MaxPool op(std::move(p), x.sizes(), out, relu);
  op.found = found;
  return apply(std::move(op), x);
}

// The places as PyTorch tells them, of the result's sizes.
template <int N>
std::pair<Tensor, Tensor> with_indices(const char* call, const Tensor& x, Pooling p) {
  Places found;
  const Tensor y = largest<N>(call, x, std::move(p), false, &found);
  Tensor indices = found.places.to(kInt64);
  if (found.channels > 1) {
    const std::int64_t n = y.size(0), channels = found.channels;
    indices = transpose(reshape(indices, {n, found.out_size, channels}), 1, 2).contiguous();
  }
  return {y, reshape(indices, y.sizes())};
}

bool all_hold_elements(const Pooling& p) {
  const auto holds = [](const Window& w) { return w.begin < w.end; };
  return std::all_of(p.windows.begin(), p.windows.end(),
                     [&](const auto& windows) { return std::all_of(windows.begin(), windows.end(), holds); });
}

template <int N>
Tensor max_pool(const char* call, const Tensor& x, const Spatial<N>& kernel, const std::optional<Spatial<N>>& given,
                const Spatial<N>& padding, const Spatial<N>& dilation, bool ceil_mode, bool relu = false) {
  const Spatial<N> stride = given.value_or(kernel);
  Pooling p = windows_of(call, x, kernel, stride, padding, dilation, ceil_mode, false);
  if (all_hold_elements(p)) return largest<N>(call, x, std::move(p), relu);
  // A window that holds padding alone, as a wide dilation may leave, is -inf in PyTorch. Here the padding becomes a
  // part of x then, which may make room for more windows in ceil_mode.
  std::vector<std::int64_t> edges;
  for (int i = N; i-- > 0;) edges.insert(edges.end(), 2, padding[i]);
  const Tensor wide = pad(relu ? gradus::relu(x) : x, edges, "constant", -std::numeric_limits<double>::infinity());
  const Shape out = result_sizes<N>(x, p);
  Tensor y =
      largest<N>(call, wide, windows_of(call, wide, kernel, stride, Spatial<N>(0), dilation, ceil_mode, false), false);
  for (int i = static_cast<int>(x.dim()) - N; i < x.dim(); ++i) y = narrow(y, i, 0, out[i]);
  return y;
}

template <int N>
std::pair<Tensor, Tensor> max_pool_with_indices(const char* call, const Tensor& x, const Spatial<N>& kernel,
                                                const std::optional<Spatial<N>>& stride, const Spatial<N>& padding,
                                                const Spatial<N>& dilation, bool ceil_mode) {
  Pooling p = windows_of(call, x, kernel, stride.value_or(kernel), padding, dilation, ceil_mode, false);
  if (!all_hold_elements(p))
    throw ValueError(std::string(call) + ": a window holds padding alone, whose maximum has no index: kernel_size " +
                     list(kernel) + ", padding " + list(padding) + ", dilation " + list(dilation));
  return with_indices<N>(call, x, std::move(p));
}

template <int N>
Tensor avg_pool(const char* call, const Tensor& x, const Spatial<N>& kernel, const std::optional<Spatial<N>>& stride,
                const Spatial<N>& padding, bool ceil_mode, bool count_include_pad,
                std::optional<std::int64_t> divisor_override = {}) {
  if (divisor_override && *divisor_override == 0) {
    throw ValueError(std::string(call) + ": divisor_override must not be 0");
  }
  Pooling p =
      windows_of(call, x, kernel, stride.value_or(kernel), padding, Spatial<N>(1), ceil_mode, count_include_pad);
  p.divisor = divisor_override.value_or(0);
  const Shape out = result_sizes<N>(x, p);
  return apply(AvgPool(std::move(p), x.sizes(), out, false), x);
}

template <int N>
Tensor adaptive_avg(const char* call, const Tensor& x, const Spatial<N>& size) {
  Pooling p = adaptive_windows(call, x, size);
  const Shape out = result_sizes<N>(x, p);
  return apply(AvgPool(std::move(p), x.sizes(), out, false), x);
}

template <int N>
Tensor adaptive_max(const char* call, const Tensor& x, const Spatial<N>& size) {
  return largest<N>(call, x, adaptive_windows(call, x, size), false);
}

}  // namespace

Tensor max_pool1d(const Tensor& x, const Spatial<1>& kernel_size, const std::optional<Spatial<1>>& stride,
                  const Spatial<1>& padding, const Spatial<1>& dilation, bool ceil_mode) {
  return max_pool<1>("max_pool1d", x, kernel_size, stride, padding, dilation, ceil_mode);
}
Tensor max_pool2d(const Tensor& x, const Spatial<2>& kernel_size, const std::optional<Spatial<2>>& stride,
                  const Spatial<2>& padding, const Spatial<2>& dilation, bool ceil_mode) {
  return max_pool<2>("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode);
}
Tensor max_pool3d(const Tensor& x, const Spatial<3>& kernel_size, const std::optional<Spatial<3>>& stride,
                  const Spatial<3>& padding, const Spatial<3>& dilation, bool ceil_mode) {
  return max_pool<3>("max_pool3d", x, kernel_size, stride, padding, dilation, ceil_mode);
}

namespace ops {

template <int N>
Tensor max_pool_of_relu(const Tensor& x, const Spatial<N>& kernel_size, const std::optional<Spatial<N>>& stride,
                        const Spatial<N>& padding, const Spatial<N>& dilation, bool ceil_mode) {
  constexpr const char* calls[] = {"max_pool1d", "max_pool2d", "max_pool3d"};
  return max_pool<N>(calls[N - 1], x, kernel_size, stride, padding, dilation, ceil_mode, true);
}
template Tensor max_pool_of_relu(const Tensor&, const Spatial<1>&, const std::optional<Spatial<1>>&, const Spatial<1>&,
                                 const Spatial<1>&, bool);
template Tensor max_pool_of_relu(const Tensor&, const Spatial<2>&, const std::optional<Spatial<2>>&, const Spatial<2>&,
                                 const Spatial<2>&, bool);
template Tensor max_pool_of_relu(const Tensor&, const Spatial<3>&, const std::optional<Spatial<3>>&, const Spatial<3>&,
                                 const Spatial<3>&, bool);

}  // namespace ops

Tensor avg_pool1d(const Tensor& x, const Spatial<1>& kernel_size, const std::optional<Spatial<1>>& stride,
                  const Spatial<1>& padding, bool ceil_mode, bool count_include_pad) {
  return avg_pool<1>("avg_pool1d", x, kernel_size, stride, padding, ceil_mode, count_include_pad);
}
Tensor avg_pool2d(const Tensor& x, const Spatial<2>& kernel_size, const std::optional<Spatial<2>>& stride,
                  const Spatial<2>& padding, bool ceil_mode, bool count_include_pad,
                  std::optional<std::int64_t> divisor_override) {
  return avg_pool<2>("avg_pool2d", x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override);
}
Tensor avg_pool3d(const Tensor& x, const Spatial<3>& kernel_size, const std::optional<Spatial<3>>& stride,
                  const Spatial<3>& padding, bool ceil_mode, bool count_include_pad,
                  std::optional<std::int64_t> divisor_override) {
  return avg_pool<3>("avg_pool3d", x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override);
}

Tensor adaptive_avg_pool1d(const Tensor& x, const Spatial<1>& s) { return adaptive_avg("adaptive_avg_pool1d", x, s); }
Tensor adaptive_avg_pool2d(const Tensor& x, const Spatial<2>& s) { return adaptive_avg("adaptive_avg_pool2d", x, s); }
Tensor adaptive_avg_pool3d(const Tensor& x, const Spatial<3>& s) { return adaptive_avg("adaptive_avg_pool3d", x, s); }
Tensor adaptive_max_pool1d(const Tensor& x, const Spatial<1>& s) { return adaptive_max("adaptive_max_pool1d", x, s); }
Tensor adaptive_max_pool2d(const Tensor& x, const Spatial<2>& s) { return adaptive_max("adaptive_max_pool2d", x, s); }
Tensor adaptive_max_pool3d(const Tensor& x, const Spatial<3>& s) { return adaptive_max("adaptive_max_pool3d", x, s); }

#define GRADUS_WITH_INDICES(N)                                                                                     \
  std::pair<Tensor, Tensor> max_pool##N##d_with_indices(                                                           \
      const Tensor& x, const Spatial<N>& kernel_size, const std::optional<Spatial<N>>& stride,                     \
      const Spatial<N>& padding, const Spatial<N>& dilation, bool ceil_mode) {                                     \
    return max_pool_with_indices("max_pool" #N "d_with_indices", x, kernel_size, stride, padding, dilation,        \
                                 ceil_mode);                                                                       \
  }                                                                                                                \
  std::pair<Tensor, Tensor> adaptive_max_pool##N##d_with_indices(const Tensor& x, const Spatial<N>& output_size) { \
    constexpr const char* call = "adaptive_max_pool" #N "d_with_indices";                                          \
    return with_indices<N>(call, x, adaptive_windows(call, x, output_size));                                       \
  }
GRADUS_WITH_INDICES(1)
GRADUS_WITH_INDICES(2)
GRADUS_WITH_INDICES(3)
#undef GRADUS_WITH_INDICES

}  // namespace gradus
