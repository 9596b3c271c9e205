// Convolutions and transposed convolutions in one to three dimensions. A convolution is linear in x and in the weight,
// and so are its two gradients: the three operations below are each other's gradients, to any order.
#include <algorithm>

#include <gradus/autocast.h>
#include <gradus/autograd/op.h>
#include <gradus/ops.h>
#include <gradus/ops/convolution.h>

#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"
#include "ops/elementwise/elementwise.h"
#include "ops/image/folded.h"
#include "ops/image/packed_weights.h"
#include "ops/image/spatial.h"
#include "ops/product/products.h"
#include "ops/shape/layout.h"

namespace gradus {

using namespace ops;

namespace {

using kernel::Convolution;

// The sizes of the three tensors with as many dimensions as the caller's, beside the kernel's description.
struct Geometry {
  Convolution c;
  Shape x, w, y;
  Dtype dtype = kFloat32, w_dtype = kFloat32;                           // of x and y; of w
  std::shared_ptr<const kernel::ChannelsLast> channels_last = nullptr;  // its loops, where it is computed so
};

Tensor operand(const Tensor& x) { return x.to(compute_type(x.dtype())).contiguous(); }

// The sum of each channel: the gradient of a bias.
Tensor sum_of_channels(const Tensor& g) {
  Dims dims(0);
  for (int d = 2; d < g.sizes().rank(); ++d) dims.push_back(d);
  return sum(g, dims);
}

Tensor backward_data(const Geometry& geometry, const Tensor& g, const Tensor& w);
Tensor backward_weight(const Geometry& geometry, const Tensor& g, const Tensor& x);

// The weight in the layout of channels-last loops: kept where it needs no gradient, and so rarely changes.
std::shared_ptr<const kernel::PackedWeights> packed(const Geometry& geometry, const Tensor& weight,
                                                    const kernel::Epilogue& then) {
  const bool keep = !weight.requires_grad();
  if (keep) {
    const auto kept = kept_weights(weight, {&weight, 1});
    if (kept && geometry.channels_last->fits(*kept->packed, then)) return kept->packed;
  }
  const Tensor w = weight.contiguous();
  auto made = geometry.channels_last->pack(w.dtype(), w.impl()->data, then);
  if (keep) keep_weights(weight, {&weight, 1}, {made, Tensor()});
  return made;
}

struct Conv final : Op {
  Geometry geometry;
  Dtype bias_type = kFloat32;
  explicit Conv(const Geometry& g) : geometry(g) {}
  const char* name() const override { return "convolution"; }
  Tensor forward(const Tensor& x, const Tensor& w, const Tensor& bias) {
    if (needs(1)) save(0, x);
    if (needs(0)) save(1, w);
    if (bias.defined()) bias_type = bias.dtype();
    const Tensor b = bias.defined() ? operand(bias) : Tensor();
    if (geometry.channels_last) {
      const Tensor in = to_channels_last(x.to(geometry.dtype));
      const Tensor y = detail::make_channels_last(geometry.y, geometry.dtype, x.device());
      const kernel::Epilogue then{.bias = b.defined() ? b.const_data_ptr<float>() : nullptr};
      geometry.channels_last->forward(in.impl()->data, *packed(geometry, w, then), then, y.impl()->data);
      return y;
    }
    const Tensor in = operand(x), weight = operand(w);
    const Tensor y = detail::make_empty(geometry.y, in.dtype(), x.device());
    kernels(x.device())
        .conv_forward(in.dtype(), geometry.c, in.impl()->data, weight.impl()->data,
                      b.defined() ? b.impl()->data : nullptr, y.impl()->data);
    return y.to(x.dtype());
  }
  void backward(const Tensor& g, Grads gx) override {
    if (needs(0)) gx[0] = backward_data(geometry, g, saved(1));
    if (needs(1)) gx[1] = backward_weight(geometry, g, saved(0));
    if (needs(2)) gx[2] = sum_of_channels(g).to(bias_type);
  }
  std::int64_t multiply_adds(const Tensor&, const Tensor&, const Tensor&, const Tensor&) const {
    return geometry.c.multiplications();
  }
};

// Also the transposed convolution, which may have a bias.
struct ConvBackwardData final : Op {
  Geometry geometry;
  bool transposed;
  Dtype bias_type = kFloat32;
  ConvBackwardData(const Geometry& g, bool t) : geometry(g), transposed(t) {}
  const char* name() const override { return transposed ? "conv_transpose" : "convolution_backward_data"; }
  Tensor forward(const Tensor& g, const Tensor& w, const Tensor& bias) {
    if (needs(1)) save(0, g);
    if (needs(0)) save(1, w);
    Tensor gx = channels_last(g, w);
    if (!gx.defined()) {
      const Tensor grad = operand(g), weight = operand(w);
      gx = detail::make_empty(geometry.x, grad.dtype(), g.device());
      Convolution c = geometry.c;
      c.channels_last = false;
      kernels(g.device()).conv_backward_data(grad.dtype(), c, grad.impl()->data, weight.impl()->data, gx.impl()->data);
    }
    if (bias.defined()) {
      bias_type = bias.dtype();
      Shape beside(std::vector<std::int64_t>(static_cast<std::size_t>(gx.dim()), 1));
      beside[1] = geometry.c.in_channels;
      gx.add_(view(operand(bias), beside));
    }
    return gx.to(g.dtype());
  }
  void backward(const Tensor& gg, Grads gx) override {
    if (needs(0)) gx[0] = apply(Conv(geometry), gg, saved(1), Tensor());
    if (needs(1)) gx[1] = backward_weight(geometry, saved(0), gg);
    if (needs(2)) gx[2] = sum_of_channels(gg).to(bias_type);
  }
  std::int64_t multiply_adds(const Tensor&, const Tensor&, const Tensor&, const Tensor&) const {
    return geometry.c.multiplications();
  }

 private:
  Tensor channels_last(const Tensor& g, const Tensor& w) const {
    if (!geometry.channels_last) return Tensor();
    const Tensor grad = to_channels_last(g.to(geometry.dtype)), weight = w.contiguous();
    const Tensor gx = detail::make_channels_last(geometry.x, geometry.dtype, g.device());
    const bool done =
        geometry.channels_last->backward_data(grad.impl()->data, weight.dtype(), weight.impl()->data, gx.impl()->data);
    return done ? gx : Tensor();
  }
};

struct ConvBackwardWeight final : Op {
  Geometry geometry;
  explicit ConvBackwardWeight(const Geometry& g) : geometry(g) {}
  const char* name() const override { return "convolution_backward_weight"; }
  Tensor forward(const Tensor& g, const Tensor& x) {
    if (needs(1)) save(0, g);
    if (needs(0)) save(1, x);
    const Dtype compute = compute_type(geometry.dtype);
    const Tensor gw = detail::make_empty(geometry.w, compute, g.device());
    if (geometry.channels_last) {
      const Tensor grad = to_channels_last(g.to(geometry.dtype)), in = to_channels_last(x.to(geometry.dtype));
      geometry.channels_last->backward_weight(grad.impl()->data, in.impl()->data, gw.data_ptr<float>());
    } else {
      const Tensor grad = operand(g), in = operand(x);
      kernels(g.device())
          .conv_backward_weight(compute, geometry.c, grad.impl()->data, in.impl()->data, gw.impl()->data);
    }
    return gw.to(geometry.w_dtype);
  }
  void backward(const Tensor& gg, Grads gx) override {
    if (needs(0)) gx[0] = apply(Conv(geometry), saved(1), gg, Tensor());
    if (needs(1)) gx[1] = backward_data(geometry, saved(0), gg);
  }
  std::int64_t multiply_adds(const Tensor&, const Tensor&, const Tensor&) const { return geometry.c.multiplications(); }
};

Tensor backward_data(const Geometry& geometry, const Tensor& g, const Tensor& w) {
  return apply(ConvBackwardData(geometry, false), g, w, Tensor());
}
Tensor backward_weight(const Geometry& geometry, const Tensor& g, const Tensor& x) {
  return apply(ConvBackwardWeight(geometry), g, x);
}

// The loops to work channels-last: where oneDNN does it well, and where there are enough channels to fill vectors.
std::shared_ptr<const kernel::ChannelsLast> channels_last_loops(const Tensor& x, Dtype dtype, Convolution c,
                                                                std::int64_t outs) {
  constexpr std::int64_t kLeast = 32, kLeastOfChannelsLast = 16;
  if (x.dim() < 4 || !has_rows(dtype)) return nullptr;
  if (outs < (prefers_channels_last(x) ? kLeastOfChannelsLast : kLeast)) return nullptr;
  c.channels_last = true;
  return kernels(x.device()).conv_channels_last(dtype, c);
}

// --- checks ---

// What both directions check: ranks, types, groups, bias. `outs` is the number of the result's channels.
template <int N>
void check(const char* call, const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t groups,
           std::int64_t channel_dim, std::int64_t outs) {
  const std::int64_t channels = x.sizes()[static_cast<int>(x.dim() - N - 1)];
  if (channels != weight.sizes()[static_cast<int>(channel_dim)] * (channel_dim == 1 ? groups : 1)) {
    throw ShapeError(std::string(call) + ": need weight [" +
                     (channel_dim == 1 ? "out, in / groups" : "in, out / groups") +
                     ", kernel...] for x [N, in, ...], got x " + to_string(x.sizes()) + ", weight " +
                     to_string(weight.sizes()) + " and groups " + std::to_string(groups));
  }
  // Weights may be kept in float32 beside bfloat16 images.
  const auto check_types = [&](const Tensor& w) {
    if (x.dtype() != kBFloat16 || w.dtype() != kFloat32) check_product_types(call, x, w);
  };
  check_types(weight);
  if (!x.is_floating_point()) {
    throw DtypeError(std::string(call) + ": needs floating-point tensors, got " + to_string(x.dtype()));
  }
  if (!bias.defined()) return;
  check_types(bias);
  if (bias.sizes() != Shape{outs}) {
    throw ShapeError(std::string(call) + ": need bias [" + std::to_string(outs) + "] for weight " +
                     to_string(weight.sizes()) + " and groups " + std::to_string(groups) + ", got " +
                     to_string(bias.sizes()));
  }
}

template <int N>
void check_ranks(const char* call, const Tensor& x, const Tensor& weight, std::int64_t groups) {
  if ((x.dim() != N + 1 && x.dim() != N + 2) || weight.dim() != N + 2) {
    throw ShapeError(std::string(call) + ": need x of " + std::to_string(N + 2) + " dimensions (" +
                     std::to_string(N + 1) + " without a batch) and weight of " + std::to_string(N + 2) + ", got x " +
                     to_string(x.sizes()) + " and weight " + to_string(weight.sizes()));
  }
  if (groups < 1 || weight.sizes()[0] % groups != 0) {
    throw ValueError(std::string(call) + ": groups must be at least 1 and divide weight's first size, got " +
                     std::to_string(groups) + " and weight " + to_string(weight.sizes()));
  }
  for (int d = 2; d < N + 2; ++d) {
    if (weight.sizes()[d] < 1) {
      throw ShapeError(std::string(call) + ": the kernel must not be empty, got weight " + to_string(weight.sizes()));
    }
  }
}

// Dimension i of N as one of the kernel's three.
template <int N>
std::size_t place(int i) {
  return static_cast<std::size_t>(i + 3 - N);
}

template <int N>
Geometry geometry_of(const char* call, const Tensor& x, const Tensor& weight, const Tensor& bias,
                     const Spatial<N>& stride, const ConvPadding<N>& padding, const Spatial<N>& dilation,
                     std::int64_t groups) {
  check_ranks<N>(call, x, weight, groups);
  check<N>(call, x, weight, bias, groups, 1, weight.sizes()[0]);
  check_at_least(call, "stride", stride, 1);
  check_at_least(call, "dilation", dilation, 1);
  check_at_least(call, "padding", padding.size(), 0);
  if (padding.is_same() && stride != Spatial<N>(1)) {
    throw ValueError(std::string(call) + ": padding 'same' needs stride 1, got " + list(stride));
  }
  const Tensor batch = x.dim() == N + 1 ? unsqueeze(x, 0) : x;
  Geometry geometry{.c = {},
                    .x = batch.sizes(),
                    .w = weight.sizes(),
                    .y = batch.sizes(),
                    .dtype = x.dtype(),
                    .w_dtype = weight.dtype()};
  Convolution& c = geometry.c;
  c.batch = batch.sizes()[0];
  c.groups = groups;
  c.in_channels = batch.sizes()[1];
  geometry.y[1] = c.out_channels = weight.sizes()[0];
  for (int i = 0; i < N; ++i) {
    const auto d = place<N>(i);
    c.in[d] = batch.sizes()[2 + i];
    c.kernel[d] = weight.sizes()[2 + i];
    c.stride[d] = stride[i];
    c.dilation[d] = dilation[i];
    const std::int64_t reach = dilation[i] * (c.kernel[d] - 1);
    c.padding[d] = padding.is_same() ? reach / 2 : padding.size()[i];
    const std::int64_t total = padding.is_same() ? reach : 2 * padding.size()[i];
    const std::int64_t room = c.in[d] + total - reach - 1;
    if (room < 0 || c.in[d] == 0) {
      throw ShapeError(std::string(call) + ": the kernel does not fit: x " + to_string(x.sizes()) + ", weight " +
                       to_string(weight.sizes()) + ", padding " + list(padding.size()) + ", dilation " +
                       list(dilation));
    }
    geometry.y[2 + i] = c.out[d] = room / stride[i] + 1;
  }
  check_sizes(call, geometry.y);
  if (N >= 2 && x.dim() == N + 2) geometry.channels_last = channels_last_loops(batch, x.dtype(), c, c.out_channels);
  c.channels_last = geometry.channels_last != nullptr;
  return geometry;
}

// As autocast; weights in float32 are wanted as they are beside bfloat16 images.
Tensor autocast_weight(const Tensor& x, const Tensor& weight) {
  const bool stays = x.dtype() == kBFloat16 && weight.defined() && weight.dtype() == kFloat32;
  return stays ? weight : autocast(weight);
}

template <int N>
Tensor conv(const char* call, const Tensor& x_given, const Tensor& weight_given, const Tensor& bias_given,
            const Spatial<N>& stride, const ConvPadding<N>& padding, const Spatial<N>& dilation, std::int64_t groups) {
  const Tensor x = autocast(x_given), weight = autocast_weight(x, weight_given), bias = autocast_weight(x, bias_given);
  const Geometry geometry = geometry_of<N>(call, x, weight, bias, stride, padding, dilation, groups);
  if (x.dim() == N + 2) return apply(Conv(geometry), x, weight, bias);
  return squeeze(apply(Conv(geometry), unsqueeze(x, 0), weight, bias), 0);
}

template <int N>
Tensor transposed(const char* call, const Tensor& x_given, const Tensor& weight_given, const Tensor& bias_given,
                  const Spatial<N>& stride, const Spatial<N>& padding, const Spatial<N>& output_padding,
                  std::int64_t groups, const Spatial<N>& dilation) {
  const Tensor x = autocast(x_given), weight = autocast_weight(x, weight_given), bias = autocast_weight(x, bias_given);
  check_ranks<N>(call, x, weight, groups);
  check<N>(call, x, weight, bias, groups, 0, weight.sizes()[1] * groups);
  check_at_least(call, "stride", stride, 1);
  check_at_least(call, "dilation", dilation, 1);
  check_at_least(call, "padding", padding, 0);
  check_at_least(call, "output_padding", output_padding, 0);
  const Tensor batch = x.dim() == N + 1 ? unsqueeze(x, 0) : x;
  Geometry geometry{.c = {},
                    .x = batch.sizes(),
                    .w = weight.sizes(),
                    .y = batch.sizes(),
                    .dtype = x.dtype(),
                    .w_dtype = weight.dtype()};
  Convolution& c = geometry.c;
  c.batch = batch.sizes()[0];
  c.groups = groups;
  c.out_channels = weight.sizes()[0];
  geometry.x[1] = c.in_channels = weight.sizes()[1] * groups;
  for (int i = 0; i < N; ++i) {
    const auto d = place<N>(i);
    if (output_padding[i] >= std::max(stride[i], dilation[i])) {
      throw ValueError(std::string(call) + ": output_padding must be less than stride or dilation, got " +
                       list(output_padding) + ", stride " + list(stride) + " and dilation " + list(dilation));
    }
    c.out[d] = batch.sizes()[2 + i];
    c.kernel[d] = weight.sizes()[2 + i];
    c.stride[d] = stride[i];
    c.dilation[d] = dilation[i];
    c.padding[d] = padding[i];
    geometry.x[2 + i] = c.in[d] =
        (c.out[d] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (c.kernel[d] - 1) + output_padding[i] + 1;
    if (c.in[d] < 1 || c.out[d] == 0) {
      throw ShapeError(std::string(call) + ": the result would be empty: x " + to_string(x.sizes()) + ", weight " +
                       to_string(weight.sizes()) + ", stride " + list(stride) + ", padding " + list(padding));
    }
  }
  check_sizes(call, geometry.x);
  if (N >= 2 && x.dim() == N + 2) geometry.channels_last = channels_last_loops(batch, x.dtype(), c, c.in_channels);
  c.channels_last = geometry.channels_last != nullptr;
  const Tensor y = apply(ConvBackwardData(geometry, true), batch, weight, bias);
  return x.dim() == N + 1 ? squeeze(y, 0) : y;
}

}  // namespace

Tensor ops::folded_conv2d(const Tensor& x_given, const Tensor& weight, const Tensor& bias, const Spatial<2>& stride,
                          const ConvPadding<2>& padding, const Spatial<2>& dilation, std::int64_t groups,
                          const FoldedNorm& norm, const Epilogue& next) {
  const NoGrad guard;
  const Tensor x = autocast(x_given);
  if (!has_rows(x.dtype())) return {};
  const Geometry geometry = geometry_of<2>("conv2d", x, weight, bias, stride, padding, dilation, groups);
  const Tensor& r = next.residual;
  if (!geometry.channels_last || (r.defined() && (r.sizes() != geometry.y || r.dtype() != geometry.dtype))) return {};
  const Tensor in = to_channels_last(x), added = r.defined() ? to_channels_last(r) : Tensor();
  kernel::Epilogue then{.bias = nullptr, .residual = r.defined() ? added.impl()->data : nullptr, .relu = next.relu};
  const Tensor sources[] = {weight, bias, norm.mean, norm.var, norm.weight, norm.bias};
  auto kept = kept_weights(weight, sources);
  const float some = 0;
  then.bias = kept ? kept->bias.const_data_ptr<float>() : &some;
  if (!kept || !geometry.channels_last->fits(*kept->packed, then)) {
    Tensor scale = rsqrt(norm.var.to(kFloat32) + norm.eps);
    if (norm.weight.defined()) scale = scale * norm.weight.to(kFloat32);
    Tensor shift = -norm.mean.to(kFloat32);
    if (bias.defined()) shift = shift + bias.to(kFloat32);
    shift = shift * scale;
    if (norm.bias.defined()) shift = shift + norm.bias.to(kFloat32);
    const Tensor folded = (weight.to(kFloat32) * reshape(scale, {-1, 1, 1, 1})).contiguous();
    KeptWeights made{geometry.channels_last->pack(kFloat32, folded.impl()->data, then), shift.contiguous()};
    kept = std::make_shared<const KeptWeights>(made);
    if (made.packed == nullptr) return {};
    keep_weights(weight, sources, std::move(made));
    then.bias = kept->bias.const_data_ptr<float>();
  }
  const Tensor y = detail::make_channels_last(geometry.y, geometry.dtype, x.device());
  geometry.channels_last->forward(in.impl()->data, *kept->packed, then, y.impl()->data);
  return y;
}

Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Spatial<1>& stride,
              const ConvPadding<1>& padding, const Spatial<1>& dilation, std::int64_t groups) {
  return conv<1>("conv1d", x, weight, bias, stride, padding, dilation, groups);
}
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Spatial<2>& stride,
              const ConvPadding<2>& padding, const Spatial<2>& dilation, std::int64_t groups) {
  return conv<2>("conv2d", x, weight, bias, stride, padding, dilation, groups);
}
Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Spatial<3>& stride,
              const ConvPadding<3>& padding, const Spatial<3>& dilation, std::int64_t groups) {
  return conv<3>("conv3d", x, weight, bias, stride, padding, dilation, groups);
}

Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Spatial<1>& stride,
                        const Spatial<1>& padding, const Spatial<1>& output_padding, std::int64_t groups,
                        const Spatial<1>& dilation) {
  return transposed<1>("conv_transpose1d", x, weight, bias, stride, padding, output_padding, groups, dilation);
}
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Spatial<2>& stride,
                        const Spatial<2>& padding, const Spatial<2>& output_padding, std::int64_t groups,
                        const Spatial<2>& dilation) {
  return transposed<2>("conv_transpose2d", x, weight, bias, stride, padding, output_padding, groups, dilation);
}
Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Spatial<3>& stride,
                        const Spatial<3>& padding, const Spatial<3>& output_padding, std::int64_t groups,
                        const Spatial<3>& dilation) {
  return transposed<3>("conv_transpose3d", x, weight, bias, stride, padding, output_padding, groups, dilation);
}

}  // namespace gradus
