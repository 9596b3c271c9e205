#include <gradus/nn/functional.h>
#include <gradus/nn/layers/further_layers.h>
#include <gradus/ops/further.h>

#include "core/range.h"
#include "nn/layers/table.h"
#include "nn/module/initial.h"
#include "nn/module/repr.h"

namespace gradus::nn {

PReLU::PReLU(std::int64_t num_parameters, double init, Dtype dtype)
    : Module("PReLU", "num_parameters=" + std::to_string(num_parameters)) {
  check_range("PReLU", "num_parameters", num_parameters, at_least(1));
  weight = add("weight", constant_parameter({num_parameters}, init, dtype));
}

Tensor PReLU::forward(const Tensor& x) { return prelu(x, weight); }

namespace {

// With a padding_idx that counts from the front.
EmbeddingBagOptions checked(std::int64_t rows, EmbeddingBagOptions o) {
  if (o.mode != "sum" && o.mode != "mean" && o.mode != "max")
    throw ValueError("EmbeddingBag: mode must be 'sum', 'mean' or 'max', got '" + o.mode + "'");
  if (!o.padding_idx) return o;
  if (*o.padding_idx < -rows || *o.padding_idx >= rows)
    throw IndexError("EmbeddingBag: padding_idx must be in [" + std::to_string(-rows) + ", " +
                     std::to_string(rows - 1) + "], got " + std::to_string(*o.padding_idx));
  if (*o.padding_idx < 0) *o.padding_idx += rows;
  return o;
}

}  // namespace

EmbeddingBag::EmbeddingBag(const Shape& sizes, const EmbeddingBagOptions& o, const Tensor& table, bool requires_grad)
    : Module("EmbeddingBag"), options_(checked(sizes[0], o)) {
  set_detail(std::to_string(sizes[0]) + ", " + std::to_string(sizes[1]) + norm_text(o) + ", mode='" + o.mode + "'" +
             (options_.padding_idx ? ", padding_idx=" + std::to_string(*options_.padding_idx) : ""));
  weight = add("weight", Parameter(table, requires_grad));
}

EmbeddingBag::EmbeddingBag(std::int64_t num_embeddings, std::int64_t embedding_dim, const EmbeddingBagOptions& o)
    : EmbeddingBag({num_embeddings, embedding_dim}, o,
                   normal_table({num_embeddings, embedding_dim}, checked(num_embeddings, o).padding_idx, o.dtype),
                   true) {}

EmbeddingBag EmbeddingBag::from_pretrained(const Tensor& embeddings, bool freeze, const EmbeddingBagOptions& options) {
  return EmbeddingBag(table_sizes("EmbeddingBag", embeddings), options, embeddings.detach(), !freeze);
}

Tensor EmbeddingBag::forward(const Tensor& input, const Tensor& offsets, const Tensor& per_sample_weights) {
  return embedding_bag(input, weight, offsets,
                       {.mode = options_.mode,
                        .per_sample_weights = per_sample_weights,
                        .include_last_offset = options_.include_last_offset,
                        .padding_idx = options_.padding_idx,
                        .max_norm = options_.max_norm,
                        .norm_type = options_.norm_type,
                        .scale_grad_by_freq = options_.scale_grad_by_freq});
}

PairwiseDistance::PairwiseDistance(double p, double eps, bool keepdim)
    : Module("PairwiseDistance"), p_(p), eps_(eps), keepdim_(keepdim) {}

Tensor PairwiseDistance::forward(const Tensor& x1, const Tensor& x2) {
  return pairwise_distance(x1, x2, p_, eps_, keepdim_);
}

CosineSimilarity::CosineSimilarity(std::int64_t dim, double eps) : Module("CosineSimilarity"), dim_(dim), eps_(eps) {}

Tensor CosineSimilarity::forward(const Tensor& x1, const Tensor& x2) {
  return functional::cosine_similarity(x1, x2, dim_, eps_);
}

}  // namespace gradus::nn
