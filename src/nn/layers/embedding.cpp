#include <gradus/nn/layers/embedding.h>
#include <gradus/ops/embedding_bag.h>

#include "nn/layers/table.h"
#include "nn/module/initial.h"

namespace gradus::nn {

Tensor normal_table(const Shape& sizes, std::optional<std::int64_t> padding_idx, Dtype dtype) {
  Tensor table = empty(sizes, {.dtype = dtype});
  init::filled(table, nullptr, [padding_idx](Tensor& to, Generator* by) {
    to.normal_(0, 1, by);
    if (padding_idx) to.select(0, *padding_idx).fill_(0);
  });
  return table;
}

Shape table_sizes(const char* layer, const Tensor& table) {
  if (table.dim() != 2)
    throw ShapeError(std::string(layer) + ".from_pretrained: the table must have 2 dimensions, got " +
                     to_string(table.sizes()));
  if (!table.is_floating_point())
    throw DtypeError(std::string(layer) + ".from_pretrained: the table must be of floating-point numbers, got " +
                     to_string(table.dtype()));
  return table.sizes();
}

namespace {

// With a padding_idx that counts from the front.
EmbeddingOptions checked(std::int64_t rows, EmbeddingOptions o) {
  if (!o.padding_idx) return o;
  if (*o.padding_idx < -rows || *o.padding_idx >= rows) {
    throw IndexError("Embedding: padding_idx must be in [" + std::to_string(-rows) + ", " + std::to_string(rows - 1) +
                     "], got " + std::to_string(*o.padding_idx));
  }
  if (*o.padding_idx < 0) *o.padding_idx += rows;
  return o;
}

std::string detail_of(const Shape& sizes, const EmbeddingOptions& o) {
  return std::to_string(sizes[0]) + ", " + std::to_string(sizes[1]) +
         (o.padding_idx ? ", padding_idx=" + std::to_string(*o.padding_idx) : "") + norm_text(o);
}

}  // namespace

Embedding::Embedding(const Shape& sizes, const EmbeddingOptions& options, const Tensor& table, bool requires_grad)
    : Module("Embedding", detail_of(sizes, options)),
      num_embeddings(sizes[0]),
      embedding_dim(sizes[1]),
      padding_idx_(options.padding_idx.value_or(-1)),
      options_(options) {
  weight = add("weight", Parameter(table, requires_grad));
}

Embedding::Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim, const EmbeddingOptions& options)
    : Embedding(
          {num_embeddings, embedding_dim}, checked(num_embeddings, options),
          normal_table({num_embeddings, embedding_dim}, checked(num_embeddings, options).padding_idx, options.dtype),
          true) {}

Embedding Embedding::from_pretrained(const Tensor& embeddings, bool freeze, const EmbeddingOptions& options) {
  const Shape sizes = table_sizes("Embedding", embeddings);
  return Embedding(sizes, checked(sizes[0], options), embeddings.detach(), !freeze);
}

Tensor Embedding::forward(const Tensor& index) {
  if (!options_.max_norm && !options_.scale_grad_by_freq) return embedding(index, weight, padding_idx_);
  EmbeddingArguments arguments{.max_norm = options_.max_norm, .norm_type = options_.norm_type};
  if (padding_idx_ >= 0) arguments.padding_idx = padding_idx_;
  arguments.scale_grad_by_freq = options_.scale_grad_by_freq;
  return embedding(index, weight, arguments);
}

}  // namespace gradus::nn
