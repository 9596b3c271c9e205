// Composed from other operations, and so as differentiable as they are.
#include <gradus/autograd.h>
#include <gradus/ops.h>
#include <gradus/ops/attention.h>

#include <cmath>
#include <limits>

namespace gradus {

namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

void check(const Tensor& q, const Tensor& k, const Tensor& v) {
  const auto say = [&](const char* rule) {
    throw ShapeError(std::string("scaled_dot_product_attention: ") + rule + ", got query " + to_string(q.sizes()) +
                     ", key " + to_string(k.sizes()) + " and value " + to_string(v.sizes()));
  };
  if (q.dim() < 2 || k.dim() < 2 || v.dim() < 2) say("needs two dimensions at least");
  if (q.size(-1) != k.size(-1)) say("query and key need the same last size");
  if (k.size(-2) != v.size(-2)) say("key and value need as many positions");
  for (const Tensor* x : {&q, &k, &v}) {
    if (!x->is_floating_point() || x->dtype() != q.dtype()) {
      throw DtypeError(
          std::string("scaled_dot_product_attention: needs three tensors of one floating-point type, got ") +
          to_string(q.dtype()) + ", " + to_string(k.dtype()) + " and " + to_string(v.dtype()));
    }
  }
}

// Each head of x [..., H, S, E] as often as makes `heads`.
Tensor repeat_heads(const Tensor& x, std::int64_t heads) {
  const std::int64_t own = x.size(-3);
  if (own == heads) return x;
  if (own < 1 || heads % own != 0) {
    throw ShapeError("scaled_dot_product_attention: the query's heads must be a multiple of the others', got " +
                     std::to_string(heads) + " and " + std::to_string(own));
  }
  Shape wide = x.sizes(), joined = x.sizes();
  wide.insert(wide.rank() - 2, heads / own);
  joined[joined.rank() - 3] = heads;
  return reshape(expand(unsqueeze(x, -3), wide), joined);
}

// Rows of nothing but -inf become zeros, in the gradient too.
Tensor softmax_or_zero(const Tensor& scores) {
  const Tensor blind = all(eq(scores.detach(), kNever), -1, true);
  if (!any(blind).item<bool>()) return softmax(scores, -1);
  return masked_fill(softmax(masked_fill(scores, blind, 0), -1), blind, 0);
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key_given, const Tensor& value_given,
                                    const Tensor& attn_mask, double dropout_p, bool is_causal,
                                    std::optional<double> scale, bool enable_gqa) {
  check(query, key_given, value_given);
  if (is_causal && attn_mask.defined()) {
    throw ValueError("scaled_dot_product_attention: is_causal and attn_mask exclude each other");
  }
  Tensor key = key_given, value = value_given;
  if (enable_gqa) {
    if (query.dim() < 3 || key.dim() < 3 || value.dim() < 3) {
      throw ShapeError("scaled_dot_product_attention: enable_gqa needs a dimension of heads, got query " +
                       to_string(query.sizes()));
    }
    key = repeat_heads(key, query.size(-3));
    value = repeat_heads(value, query.size(-3));
  }
  const double factor = scale ? *scale : 1 / std::sqrt(static_cast<double>(query.size(-1)));
  Tensor scores = matmul(query * factor, transpose(key, -2, -1));
  if (is_causal) {
    const Tensor seen = tril(ones({query.size(-2), key.size(-2)}, {.dtype = kBool}));
    scores = masked_fill(scores, logical_not(seen), kNever);
  } else if (attn_mask.defined()) {
    if (attn_mask.dtype() != kBool && attn_mask.dtype() != query.dtype()) {
      throw DtypeError(std::string("scaled_dot_product_attention: attn_mask must be bool or of the query's type, ") +
                       to_string(query.dtype()) + ", got " + to_string(attn_mask.dtype()));
    }
    if (!(broadcast_shapes("scaled_dot_product_attention", attn_mask.sizes(), scores.sizes()) == scores.sizes())) {
      throw ShapeError("scaled_dot_product_attention: attn_mask must broadcast to " + to_string(scores.sizes()) +
                       ", got " + to_string(attn_mask.sizes()));
    }
    scores = attn_mask.dtype() == kBool ? masked_fill(scores, logical_not(attn_mask), kNever) : scores + attn_mask;
  }
  const Tensor weights = attn_mask.defined() ? softmax_or_zero(scores) : softmax(scores, -1);
  return matmul(dropout_p > 0 ? dropout(weights, dropout_p, true) : weights, value);
}

}  // namespace gradus
