// Layers that fewer networks need.
#pragma once

#include <gradus/nn/module.h>
#include <gradus/ops/embedding_bag.h>

namespace gradus::nn {

// x where it is positive, else weight times x: He et al. (2015). weight [num_parameters] is one number for all, or one
// for each channel, which dimension 1 of x is.
class PReLU : public Module {
 public:
  Parameter weight;
  explicit PReLU(std::int64_t num_parameters = 1, double init = 0.25, Dtype dtype = kFloat32);
  Tensor forward(const Tensor& x) override;
};

struct EmbeddingBagOptions {
  std::string mode = "mean";  // or "sum", "max"
  bool include_last_offset = false;
  std::optional<std::int64_t> padding_idx = {};  // this row starts at zero, is in no bag, and gets no gradient
  std::optional<double> max_norm = {};           // these as EmbeddingOptions'
  double norm_type = 2;
  bool scale_grad_by_freq = false;
  Dtype dtype = kFloat32;
};

// Sums, means or maxima of rows of a table, bag by bag, as gradus::embedding_bag. weight [num_embeddings,
// embedding_dim] starts normal(0, 1).
class EmbeddingBag : public Module {
 public:
  Parameter weight;
  EmbeddingBag(std::int64_t num_embeddings, std::int64_t embedding_dim, const EmbeddingBagOptions& options = {});
  // As Embedding::from_pretrained.
  static EmbeddingBag from_pretrained(const Tensor& embeddings, bool freeze = true,
                                      const EmbeddingBagOptions& options = {});
  Tensor forward(const Tensor& input) override { return forward(input, Tensor()); }
  Tensor forward(const Tensor& input, const Tensor& offsets, const Tensor& per_sample_weights = {});
  using Module::operator();
  Tensor operator()(const Tensor& input, const Tensor& offsets, const Tensor& per_sample_weights = {}) {
    return call([&] { return forward(input, offsets, per_sample_weights); });
  }

 private:
  EmbeddingBag(const Shape& sizes, const EmbeddingBagOptions& options, const Tensor& table, bool requires_grad);

  EmbeddingBagOptions options_;
};

// |x1 - x2 + eps|_p over the last dimension.
class PairwiseDistance : public Module {
 public:
  explicit PairwiseDistance(double p = 2, double eps = 1e-6, bool keepdim = false);
  using Module::forward;
  Tensor forward(const Tensor& x1, const Tensor& x2);
  Tensor operator()(const Tensor& x1, const Tensor& x2) {
    return call([&] { return forward(x1, x2); });
  }

 private:
  double p_, eps_;
  bool keepdim_;
};

// x1 x2 / max(|x1| |x2|, eps) over a dimension.
class CosineSimilarity : public Module {
 public:
  explicit CosineSimilarity(std::int64_t dim = 1, double eps = 1e-8);
  using Module::forward;
  Tensor forward(const Tensor& x1, const Tensor& x2);
  Tensor operator()(const Tensor& x1, const Tensor& x2) {
    return call([&] { return forward(x1, x2); });
  }

 private:
  std::int64_t dim_;
  double eps_;
};

}  // namespace gradus::nn
