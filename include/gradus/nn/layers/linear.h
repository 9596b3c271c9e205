// Linear layers.
#pragma once

#include <gradus/nn/module.h>

namespace gradus::nn {

struct LinearOptions {
  bool bias = true;
  Dtype dtype = kFloat32;
};

// y = x weight^T + bias: [..., in_features] -> [..., out_features]. weight [out, in] and bias [out] start uniform in
// +-1/sqrt(in_features), as torch.nn.Linear's.
class Linear : public Module {
 public:
  std::int64_t in_features, out_features;
  Parameter weight, bias;
  Linear(std::int64_t in_features, std::int64_t out_features, const LinearOptions& options = {});
  Tensor forward(const Tensor& x) override;
};

// y_k = x1 A_k x2^T + b_k: [..., in1] and [..., in2] -> [..., out]. Uniform in +-1/sqrt(in1_features).
class Bilinear : public Module {
 public:
  std::int64_t in1_features, in2_features, out_features;
  Parameter weight, bias;
  Bilinear(std::int64_t in1_features, std::int64_t in2_features, std::int64_t out_features,
           const LinearOptions& options = {});
  Tensor forward(const Tensor& x1, const Tensor& x2);
  Tensor operator()(const Tensor& x1, const Tensor& x2) {
    return call([&] { return forward(x1, x2); });
  }

 private:
  using Module::forward;
};

// The input itself.
class Identity : public Module {
 public:
  Identity() : Module("Identity") {}
  Tensor forward(const Tensor& x) override { return x; }
};

// Dimensions start_dim to end_dim as one. By default all but the batch.
class Flatten : public Module {
 public:
  explicit Flatten(std::int64_t start_dim = 1, std::int64_t end_dim = -1);
  Tensor forward(const Tensor& x) override { return flatten(x, start_dim_, end_dim_); }

 private:
  std::int64_t start_dim_, end_dim_;
};

// Dimension `dim` cut into `sizes`.
class Unflatten : public Module {
 public:
  Unflatten(std::int64_t dim, const Shape& sizes);
  Tensor forward(const Tensor& x) override { return unflatten(x, dim_, sizes_); }

 private:
  std::int64_t dim_;
  Shape sizes_;
};

}  // namespace gradus::nn
