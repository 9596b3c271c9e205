// Rows of a table, with a limit to their norms and gradients by frequency.
#include <gradus/autograd.h>
#include <gradus/ops.h>
#include <gradus/ops/embedding_bag.h>
#include <gradus/ops/further.h>

namespace gradus {

namespace {

void limit_norms(const Tensor& index, const Tensor& weight, double most, double norm_type) {
  if (index.numel() == 0) return;
  const NoGrad guard;
  const Tensor rows = unique(index).values;
  const Tensor used = index_select(weight, 0, rows);
  const Tensor norms = norm(used, norm_type, {1}, true);
  const Tensor factors = where(norms > most, most / (norms + 1e-7), ones_like(norms));
  Tensor(weight).index_copy_(0, rows, used * factors);
}

}  // namespace

Tensor embedding(const Tensor& index, const Tensor& weight, const EmbeddingArguments& o) {
  std::int64_t padding = -1;
  if (o.padding_idx && weight.dim() == 2) {
    const std::int64_t rows = weight.size(0);
    if (*o.padding_idx < -rows || *o.padding_idx >= rows)
      throw IndexError("embedding: padding_idx must be in [" + std::to_string(-rows) + ", " + std::to_string(rows - 1) +
                       "], got " + std::to_string(*o.padding_idx));
    padding = *o.padding_idx < 0 ? *o.padding_idx + rows : *o.padding_idx;
  }
  Tensor y = embedding(index, weight, padding);  // checks, before a row changes
  if (o.max_norm) {
    const Tensor entries = index.to(kInt64);
    limit_norms(reshape(entries, {entries.numel()}), weight, *o.max_norm, o.norm_type);
    y = embedding(index, weight, padding);
  }
  if (!o.scale_grad_by_freq || !y.requires_grad()) return y;
  const Unique found = unique(reshape(index.to(kInt64), {index.numel()}));
  Shape sizes = index.sizes();
  sizes.push_back(1);
  const Tensor counts = reshape(index_select(found.counts, 0, reshape(found.inverse, {index.numel()})), sizes);
  y.register_hook([times = counts.to(y.dtype())](const Tensor& g) { return g / times; });
  return alias(y);  // whose own gradient is not divided
}

}  // namespace gradus
