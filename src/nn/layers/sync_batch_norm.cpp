#include "nn/layers/sync_batch_norm.h"

#include <gradus/autograd.h>
#include <gradus/autograd/op.h>
#include <gradus/distributed.h>
#include <gradus/nn/layers/sync_batch_norm.h>
#include <gradus/ops.h>
#include <gradus/ops/normalization.h>

#include <string>
#include <vector>

namespace gradus::nn {

namespace {

// The sum over all ranks, whose gradient is the sum of all ranks' gradients.
struct AllReduce final : Op {
  const char* name() const override { return "all_reduce"; }
  Tensor forward(const Tensor& x) {
    const Tensor sum = x.detach().to(kCPU).contiguous().clone();
    distributed::all_reduce(sum);
    return sum.to(x.device());
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = apply(AllReduce{}, g); }
};

Shape all_but_channels(const Tensor& x) {
  Shape dims{0};
  for (std::int64_t d = 2; d < x.dim(); ++d) dims.push_back(d);
  return dims;
}

// [C] as it goes with x.
Tensor by_channel(const Tensor& of_channels, const Tensor& x) {
  Shape sizes;
  for (std::int64_t d = 0; d < x.dim(); ++d) sizes.push_back(d == 1 ? x.size(1) : 1);
  return of_channels.view(sizes);
}

struct Moments {
  Tensor mean, var;  // [C], float64 in the host's memory; var with the divisor n
  double count = 0;  // of the values of a channel, on all ranks
};

// Chan, Golub and LeVeque (1979), rank by rank.
Moments moments_of_all(const Tensor& x) {
  const NoGrad guard;
  const std::int64_t channels = x.size(1), n = channels > 0 ? x.numel() / channels : 0;
  const Tensor own = zeros({2 * channels + 1}, {.dtype = kFloat64});
  if (n > 0) {
    const Tensor wide = x.detach().to(x.dtype() == kFloat64 ? kFloat64 : kFloat32);
    const auto dims = all_but_channels(x);
    const Tensor mean = gradus::mean(wide, dims);
    const Tensor var = gradus::mean((wide - by_channel(mean, x)).pow(2), dims);
    own.narrow(0, 0, channels).copy_(mean.to(kCPU));
    own.narrow(0, channels, channels).copy_(var.to(kCPU));
    own.narrow(0, 2 * channels, 1).fill_(static_cast<double>(n));
  }
  Moments all{zeros({channels}, {.dtype = kFloat64}), zeros({channels}, {.dtype = kFloat64})};
  for (const Tensor& each : distributed::all_gather(own)) {
    const double count = each.narrow(0, 2 * channels, 1).item();
    if (count == 0) continue;
    const double sum = all.count + count, share = count / sum;
    const Tensor delta = each.narrow(0, 0, channels) - all.mean;
    all.mean = all.mean + delta * share;
    all.var = all.var * (all.count / sum) + each.narrow(0, channels, channels) * share +
              delta.pow(2) * (share * (all.count / sum));
    all.count = sum;
  }
  return all;
}

// (x - mean) / sqrt(var + eps), by the moments over all ranks.
struct Normalize final : Op {
  Tensor mean, scale;  // [C], of the type that is computed in; scale is 1 / sqrt(var + eps)
  double count, eps;
  const char* name() const override { return "sync_batch_norm"; }
  Normalize(Tensor m, Tensor s, double n, double e) : mean(std::move(m)), scale(std::move(s)), count(n), eps(e) {}

  Tensor forward(const Tensor& x) {
    if (needs_any()) save(0, x);
    return ((x.to(mean.dtype()) - by_channel(mean, x)) * by_channel(scale, x)).to(x.dtype());
  }
  // The moments are functions of x too: of all ranks' x.
  void backward(const Tensor& g, Grads gx) override {
    const Tensor x = saved(0), wide = g.to(mean.dtype());
    const auto dims = all_but_channels(x);
    Tensor centred = x.to(mean.dtype()) - by_channel(mean, x), by = by_channel(scale, x);
    if (is_grad_enabled()) {  // the gradient will be differentiated
      centred = x.to(mean.dtype());
      centred = centred - by_channel(apply(AllReduce{}, sum(centred, dims)) * (1 / count), x);
      by = by_channel(rsqrt(apply(AllReduce{}, sum(centred * centred, dims)) * (1 / count) + eps), x);
    }
    const Tensor y = centred * by;
    const Tensor sums = apply(AllReduce{}, stack({sum(wide, dims), sum(wide * y, dims)})) * (1 / count);
    gx[0] = ((wide - by_channel(sums.select(0, 0), x) - y * by_channel(sums.select(0, 1), x)) * by).to(x.dtype());
  }
};

Tensor over_all_ranks(BatchNorm& norm, const Tensor& x, double share) {
  if (distributed::size() == 1) return {};
  const Tensor known = norm.weight.defined() ? Tensor(norm.weight) : Tensor(norm.running_mean);
  if (known.defined() && known.size(0) != x.size(1)) {
    throw ShapeError("SyncBatchNorm: needs x [N, " + std::to_string(known.size(0)) + ", ...], got " +
                     gradus::to_string(x.sizes()));
  }
  const Moments moments = moments_of_all(x);
  if (moments.count < 2) {
    throw ValueError("SyncBatchNorm: needs more than one value of each channel on all ranks together, got sizes " +
                     gradus::to_string(x.sizes()));
  }
  const Dtype dtype = x.dtype() == kFloat64 ? kFloat64 : kFloat32;
  if (norm.running_mean.defined()) {
    const NoGrad guard;
    const auto move = [&](Tensor running, const Tensor& to) {
      const Tensor moved = running.to(kCPU).to(kFloat64) * (1 - share) + to * share;
      running.copy_(moved.to(running.dtype()).to(running.device()));
    };
    move(norm.running_mean.detach(), moments.mean);
    move(norm.running_var.detach(), moments.var * (moments.count / (moments.count - 1)));
  }
  const auto here = [&](const Tensor& of_channels) { return of_channels.to(dtype).to(x.device()); };
  Tensor y = apply(Normalize(here(moments.mean), here(rsqrt(moments.var + norm.eps())), moments.count, norm.eps()), x);
  if (norm.weight.defined()) y = y * by_channel(norm.weight, x);
  if (norm.bias.defined()) y = y + by_channel(norm.bias, x);
  return y.to(x.dtype());
}

}  // namespace

SyncBatchNorm::SyncBatchNorm(std::int64_t features, const BatchNormOptions& options)
    : BatchNorm(kSyncBatchNorm, features, options, 2, 16) {
  synchronized_batch_norm = over_all_ranks;
}

Module& SyncBatchNorm::convert_sync_batchnorm(Module& module) {
  synchronized_batch_norm = over_all_ranks;
  for (Module* each : module.modules())
    if (each->as<BatchNorm>() != nullptr) each->state()->type = kSyncBatchNorm;
  return module;
}

}  // namespace gradus::nn
