// Further layers of images and sequences; the functions are in gradus/ops/folding.h.
#pragma once

#include <gradus/nn/module.h>
#include <gradus/ops/folding.h>

namespace gradus::nn {

struct UnfoldOptions {
  Spatial<2> dilation = 1;
  Spatial<2> padding = 0;
  Spatial<2> stride = 1;
};

// The windows of [N, C, H, W] as columns [N, C * kernel elements, windows].
class Unfold : public Module {
 public:
  explicit Unfold(const Spatial<2>& kernel_size, const UnfoldOptions& options = {});
  Tensor forward(const Tensor& x) override;

 private:
  Spatial<2> kernel_size_;
  UnfoldOptions options_;
};

// The way back: what overlaps adds up.
class Fold : public Module {
 public:
  Fold(const Spatial<2>& output_size, const Spatial<2>& kernel_size, const UnfoldOptions& options = {});
  Tensor forward(const Tensor& x) override;

 private:
  Spatial<2> output_size_, kernel_size_;
  UnfoldOptions options_;
};

template <int N>
struct LPPoolOptions {
  std::optional<Spatial<N>> stride = {};  // unset: the kernel's size
  bool ceil_mode = false;
};

// (sum of x^norm_type over each window)^(1 / norm_type).
template <int N>
class LPPool : public Module {
 public:
  LPPool(double norm_type, const Spatial<N>& kernel_size, const LPPoolOptions<N>& options = {});
  Tensor forward(const Tensor& x) override;

 private:
  double norm_type_;
  Spatial<N> kernel_size_;
  LPPoolOptions<N> options_;
};

using LPPool1d = LPPool<1>;
using LPPool2d = LPPool<2>;
using LPPool3d = LPPool<3>;

class LocalResponseNorm : public Module {
 public:
  explicit LocalResponseNorm(std::int64_t size, double alpha = 1e-4, double beta = 0.75, double k = 1);
  Tensor forward(const Tensor& x) override { return local_response_norm(x, size_, alpha_, beta_, k_); }

 private:
  std::int64_t size_;
  double alpha_, beta_, k_;
};

// The same by the sums of windows, divided by size, for which the window of an even size is that of the odd one below
// it. As in PyTorch, the first channel counts in the windows of all channels after it.
class CrossMapLRN2d : public Module {
 public:
  explicit CrossMapLRN2d(std::int64_t size, double alpha = 1e-4, double beta = 0.75, const Scalar& k = 1);
  Tensor forward(const Tensor& x) override;  // [N, C, H, W]

 private:
  std::int64_t size_;
  double alpha_, beta_, k_;
};

class ChannelShuffle : public Module {
 public:
  explicit ChannelShuffle(std::int64_t groups);
  Tensor forward(const Tensor& x) override { return channel_shuffle(x, groups_); }

 private:
  std::int64_t groups_;
};

}  // namespace gradus::nn
