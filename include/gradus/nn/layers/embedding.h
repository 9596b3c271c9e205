#pragma once

#include <gradus/nn/module.h>

namespace gradus::nn {

struct EmbeddingOptions {
  std::optional<std::int64_t> padding_idx = {};  // this row starts at zero and gets no gradient
  Dtype dtype = kFloat32;
};

// Rows of a table by index: integers [...] -> [..., embedding_dim]. weight [num_embeddings, embedding_dim] starts
// normal(0, 1), as torch.nn.Embedding's.
class Embedding : public Module {
 public:
  std::int64_t num_embeddings, embedding_dim;
  Parameter weight;
  Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim, const EmbeddingOptions& options = {});
  Tensor forward(const Tensor& index) override { return embedding(index, weight, padding_idx_); }
  std::int64_t padding_idx() const { return padding_idx_; }  // -1 where there is none

 private:
  std::int64_t padding_idx_;
};

}  // namespace gradus::nn
