#include <gradus/autocast.h>
#include <gradus/autograd.h>
#include <gradus/nn/init.h>
#include <gradus/nn/layers/attention.h>
#include <gradus/ops/attention.h>
#include <gradus/ops/resampling.h>

#include <cmath>
#include <limits>

#include "core/range.h"
#include "nn/adapters/adapter.h"
#include "nn/adapters/prefix.h"

namespace gradus::nn {

namespace {

void check_sizes(std::int64_t embed_dim, std::int64_t num_heads, const MultiheadAttentionOptions& o) {
  if (embed_dim < 1 || num_heads < 1 || embed_dim % num_heads != 0) {
    throw ValueError("MultiheadAttention: embed_dim must be a multiple of num_heads, and both at least 1, got " +
                     std::to_string(embed_dim) + " and " + std::to_string(num_heads));
  }
  check_range("MultiheadAttention", "dropout", o.dropout, between(0, 1));
}

Parameter xavier(const Shape& sizes, Dtype dtype) {
  Tensor x = empty(sizes, {.dtype = dtype});
  return Parameter(init::xavier_uniform_(x));
}

Parameter extra(std::int64_t embed_dim, const MultiheadAttentionOptions& o) {
  if (!o.add_bias_kv) return Parameter();
  Tensor x = empty({1, 1, embed_dim}, {.dtype = o.dtype});
  return Parameter(init::xavier_normal_(x));
}

// What is added to the scores: bool masks are -inf where they are true.
Tensor added(const char* name, const Tensor& mask_given, Dtype dtype) {
  const Tensor mask = autocast(mask_given);
  if (mask.dtype() == dtype) return mask;
  if (mask.dtype() != kBool) {
    throw DtypeError(std::string("MultiheadAttention: ") + name + " must be bool or of the inputs' type, " +
                     to_string(dtype) + ", got " + to_string(mask.dtype()));
  }
  return masked_fill(zeros(mask.sizes(), {.dtype = dtype, .device = mask.device()}), mask,
                     -std::numeric_limits<double>::infinity());
}

Tensor mask_of_sizes(const char* name, const Tensor& mask, const Shape& sizes, const Shape& seen_as) {
  if (!(mask.sizes() == sizes)) {
    throw ShapeError(std::string("MultiheadAttention: ") + name + " must be " + gradus::to_string(sizes) + ", got " +
                     gradus::to_string(mask.sizes()));
  }
  return reshape(mask, seen_as);
}

}  // namespace

MultiheadAttention::MultiheadAttention(std::int64_t embed_dim, std::int64_t num_heads,
                                       const MultiheadAttentionOptions& o)
    : Module("MultiheadAttention"),
      out_proj((check_sizes(embed_dim, num_heads, o), embed_dim), embed_dim, {.bias = o.bias, .dtype = o.dtype}),
      embed_dim_(embed_dim),
      num_heads_(num_heads),
      options_(o) {
  const std::int64_t kdim = o.kdim.value_or(embed_dim), vdim = o.vdim.value_or(embed_dim);
  const bool packed = kdim == embed_dim && vdim == embed_dim;
  in_proj_weight = add("in_proj_weight", packed ? xavier({3 * embed_dim, embed_dim}, o.dtype) : Parameter());
  q_proj_weight = add("q_proj_weight", packed ? Parameter() : xavier({embed_dim, embed_dim}, o.dtype));
  k_proj_weight = add("k_proj_weight", packed ? Parameter() : xavier({embed_dim, kdim}, o.dtype));
  v_proj_weight = add("v_proj_weight", packed ? Parameter() : xavier({embed_dim, vdim}, o.dtype));
  in_proj_bias = add("in_proj_bias", o.bias ? Parameter(zeros({3 * embed_dim}, {.dtype = o.dtype})) : Parameter());
  out_proj.state()->type = "NonDynamicallyQuantizableLinear";  // PyTorch's, of no consequence
  if (o.bias) init::zeros_(out_proj.bias);
  out_proj = add("out_proj", out_proj);
  bias_k = add("bias_k", extra(embed_dim, o));
  bias_v = add("bias_v", extra(embed_dim, o));
}

// All [N, positions, E].
MultiheadAttention::Projected MultiheadAttention::project(const Tensor& query, const Tensor& key,
                                                          const Tensor& value) const {
  const detail::Adapters* adapters = detail::adapters_of(*this);
  if (in_proj_weight.defined() && query.is_same(key) && key.is_same(value)) {
    Tensor all = linear(query, in_proj_weight, in_proj_bias);
    if (adapters != nullptr) all = adapters->after_projection(*this, query, all, -1);
    const auto parts = chunk(all, 3, -1);
    return {parts[0], parts[1], parts[2]};
  }
  std::vector<Tensor> weights{q_proj_weight, k_proj_weight, v_proj_weight};
  if (in_proj_weight.defined()) weights = chunk(in_proj_weight, 3);
  std::vector<Tensor> biases(3);
  if (in_proj_bias.defined()) biases = chunk(in_proj_bias, 3);
  const auto projected = [&](const Tensor& x, int part) {
    const auto i = static_cast<std::size_t>(part);
    const Tensor y = linear(x, weights[i], biases[i]);
    return adapters != nullptr ? adapters->after_projection(*this, x, y, part) : y;
  };
  return {projected(query, 0), projected(key, 1), projected(value, 2)};
}

// [N, positions, E] -> [N, num_heads, positions, E / num_heads]
Tensor MultiheadAttention::heads(const Tensor& x) const {
  return transpose(reshape(x, {x.size(0), x.size(1), num_heads_, embed_dim_ / num_heads_}), 1, 2);
}

std::pair<Tensor, Tensor> MultiheadAttention::forward(const Tensor& query, const Tensor& key, const Tensor& value,
                                                      const AttentionOptions& o) {
  const bool batched = query.dim() == 3;
  const std::int64_t rank = batched ? 3 : 2;
  if (query.dim() != rank || key.dim() != rank || value.dim() != rank || query.size(-1) != embed_dim_) {
    throw ShapeError(
        "MultiheadAttention: needs query, key and value of three dimensions, or two without a batch, and " +
        std::to_string(embed_dim_) + " features of the query, got " + gradus::to_string(query.sizes()) + ", " +
        gradus::to_string(key.sizes()) + " and " + gradus::to_string(value.sizes()));
  }
  // The same tensor stays the same: one projection then serves all three.
  const auto batch_first = [&](const Tensor& x) {
    return !batched ? unsqueeze(x, 0) : options_.batch_first ? x : transpose(x, 0, 1);
  };
  const Tensor from = batch_first(query), k_in = key.is_same(query) ? from : batch_first(key),
               v_in = value.is_same(key) ? k_in : batch_first(value);
  const std::int64_t n = from.size(0), l = from.size(1), s = k_in.size(1);
  if (k_in.size(0) != n || v_in.size(0) != n || v_in.size(1) != s) {
    throw ShapeError(
        "MultiheadAttention: query, key and value need one batch size, and key and value as many positions, "
        "got " +
        gradus::to_string(query.sizes()) + ", " + gradus::to_string(key.sizes()) + " and " +
        gradus::to_string(value.sizes()));
  }
  auto [q, k, v] = project(from, k_in, v_in);

  const detail::Adapters* adapters = detail::adapters_of(*this);
  // Nothing but the order of positions says who sees whom: that needs no mask.
  const bool alone = !o.need_weights && !o.attn_mask.defined() && !o.key_padding_mask.defined() && !bias_k.defined() &&
                     !options_.add_zero_attn && adapters == nullptr;
  Tensor mask;  // [N or 1, num_heads or 1, L or 1, S]
  if (o.attn_mask.defined()) {
    const Tensor given = added("attn_mask", o.attn_mask, q.dtype());
    mask = given.dim() == 2 ? mask_of_sizes("attn_mask", given, {l, s}, {1, 1, l, s})
                            : mask_of_sizes("attn_mask", given, {n * num_heads_, l, s}, {n, num_heads_, l, s});
  } else if (o.is_causal && !alone) {
    mask = added("attn_mask", reshape(triu(ones({l, s}, {.dtype = kBool, .device = q.device()}), 1), {1, 1, l, s}),
                 q.dtype());
  }
  if (o.key_padding_mask.defined()) {
    const Tensor given = added("key_padding_mask", o.key_padding_mask, q.dtype());
    const Tensor hidden = mask_of_sizes("key_padding_mask", given, batched ? Shape{n, s} : Shape{s}, {n, 1, 1, s});
    mask = mask.defined() ? mask + hidden : hidden;
  }
  const std::int64_t before = detail::prefix_length(*this);  // positions that all queries see
  if (mask.defined() && before > 0) mask = pad(mask, {before, 0});
  if (bias_k.defined()) {
    k = cat({k, expand(bias_k, {n, 1, embed_dim_})}, 1);
    v = cat({v, expand(bias_v, {n, 1, embed_dim_})}, 1);
  }
  if (options_.add_zero_attn) {
    const Tensor zero = zeros({n, 1, embed_dim_}, {.dtype = k.dtype(), .device = k.device()});
    k = cat({k, zero}, 1);
    v = cat({v, zero}, 1);
  }
  if (mask.defined() && k.size(1) > s) mask = pad(mask, {0, k.size(1) - s});

  q = heads(q);
  k = heads(k);
  v = heads(v);
  detail::put_prefix(*this, k, v);
  const double p = is_training() ? options_.dropout : 0;
  Tensor seen, weights;
  if (o.need_weights) {
    const Tensor scores = matmul(q / std::sqrt(static_cast<double>(q.size(-1))), transpose(k, -2, -1));
    weights = dropout(softmax(mask.defined() ? scores + mask : scores, -1), p, p > 0);
    seen = matmul(weights, v);
    if (before > 0) weights = narrow(weights, -1, before, weights.size(-1) - before);
    if (o.average_attn_weights) weights = mean(weights, 1);
    if (!batched) weights = squeeze(weights, 0);
  } else {
    seen = scaled_dot_product_attention(q, k, v, mask, p, o.is_causal && alone);
  }
  const Tensor y = out_proj(reshape(transpose(seen, 1, 2), {n, l, embed_dim_}));
  return {!batched ? squeeze(y, 0) : options_.batch_first ? y : transpose(y, 0, 1), weights};
}

}  // namespace gradus::nn
