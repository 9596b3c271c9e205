#include <gradus/autograd.h>
#include <gradus/nn/layers/embedding.h>

#include "nn/module/initial.h"

namespace gradus::nn {

Embedding::Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim, const EmbeddingOptions& options)
    : Module("Embedding", std::to_string(num_embeddings) + ", " + std::to_string(embedding_dim) +
                              (options.padding_idx ? ", padding_idx=" + std::to_string(*options.padding_idx) : "")),
      num_embeddings(num_embeddings),
      embedding_dim(embedding_dim),
      padding_idx_(-1) {
  if (options.padding_idx) {
    if (*options.padding_idx < -num_embeddings || *options.padding_idx >= num_embeddings) {
      throw IndexError("Embedding: padding_idx must be in [" + std::to_string(-num_embeddings) + ", " +
                       std::to_string(num_embeddings - 1) + "], got " + std::to_string(*options.padding_idx));
    }
    padding_idx_ = *options.padding_idx < 0 ? *options.padding_idx + num_embeddings : *options.padding_idx;
  }
  Tensor table = empty({num_embeddings, embedding_dim}, {.dtype = options.dtype});
  init::filled(table, nullptr, [padding = padding_idx_](Tensor& to, Generator* by) {
    to.normal_(0, 1, by);
    if (padding >= 0) to.select(0, padding).fill_(0);
  });
  weight = add("weight", Parameter(table));
}

}  // namespace gradus::nn
