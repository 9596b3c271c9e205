#include <gradus/autograd.h>
#include <gradus/nn/embedding.h>
#include <gradus/nn/init.h>

namespace gradus::nn {

Embedding::Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim, const EmbeddingOptions& options)
    : Module("Embedding", std::to_string(num_embeddings) + ", " + std::to_string(embedding_dim) +
                              (options.padding_idx ? ", padding_idx=" + std::to_string(*options.padding_idx) : "")),
      padding_idx_(-1) {
  if (options.padding_idx) {
    if (*options.padding_idx < -num_embeddings || *options.padding_idx >= num_embeddings) {
      throw IndexError("Embedding: padding_idx must be in [" + std::to_string(-num_embeddings) + ", " +
                       std::to_string(num_embeddings - 1) + "], got " + std::to_string(*options.padding_idx));
    }
    padding_idx_ = *options.padding_idx < 0 ? *options.padding_idx + num_embeddings : *options.padding_idx;
  }
  Tensor table = empty({num_embeddings, embedding_dim}, {.dtype = options.dtype});
  init::normal_(table);
  if (padding_idx_ >= 0) table.select(0, padding_idx_).fill_(0);
  weight = add("weight", Parameter(table));
}

}  // namespace gradus::nn
