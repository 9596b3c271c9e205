// Embeddings.
#pragma once

#include <gradus/nn/module.h>

namespace gradus::nn {

struct EmbeddingOptions {
  std::optional<std::int64_t> padding_idx = {};  // this row starts at zero and gets no gradient
  std::optional<double> max_norm = {};           // used rows with a larger norm are first scaled to it, in place
  double norm_type = 2;                          // which norm
  bool scale_grad_by_freq = false;               // gradients are divided by how often their row is used in the call
  Dtype dtype = kFloat32;
};

// Rows of a table by index: integers [...] -> [..., embedding_dim]. weight [num_embeddings, embedding_dim] starts
// normal(0, 1), as torch.nn.Embedding's.
class Embedding : public Module {
 public:
  std::int64_t num_embeddings, embedding_dim;
  Parameter weight;
  Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim, const EmbeddingOptions& options = {});
  // A table that is there already; it is not copied. Frozen, it requires no gradient, and no row is set to zero.
  static Embedding from_pretrained(const Tensor& embeddings, bool freeze = true, const EmbeddingOptions& options = {});
  Tensor forward(const Tensor& index) override;
  std::int64_t padding_idx() const { return padding_idx_; }  // -1 where there is none

 private:
  Embedding(const Shape& sizes, const EmbeddingOptions& options, const Tensor& table, bool requires_grad);

  std::int64_t padding_idx_ = -1;
  EmbeddingOptions options_;
};

}  // namespace gradus::nn
