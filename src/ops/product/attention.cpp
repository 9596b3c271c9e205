// Composed from other operations, and so as differentiable as they are.
#include <gradus/autocast.h>
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
  // Asked on the CPU alone: of another device the answer would have to be waited for.
  if (scores.device() == kCPU && !any(blind).item<bool>()) return softmax(scores, -1);
  return masked_fill(softmax(masked_fill(scores, blind, 0), -1), blind, 0);
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& query_given, const Tensor& key_given, const Tensor& value_given,
                                    const Tensor& attn_mask, double dropout_p, bool is_causal,
                                    std::optional<double> scale, bool enable_gqa) {
  check(query_given, key_given, value_given);
  if (is_causal && attn_mask.defined()) {
    throw ValueError("scaled_dot_product_attention: is_causal and attn_mask exclude each other");
  }
  Tensor key = key_given, value = value_given;
  if (enable_gqa) {
    if (query_given.dim() < 3 || key.dim() < 3 || value.dim() < 3) {
      throw ShapeError("scaled_dot_product_attention: enable_gqa needs a dimension of heads, got query " +
                       to_string(query_given.sizes()));
    }
    key = repeat_heads(key, query_given.size(-3));
    value = repeat_heads(value, query_given.size(-3));
  }
  if (attn_mask.defined() && attn_mask.dtype() != kBool && attn_mask.dtype() != query_given.dtype()) {
    throw DtypeError(std::string("scaled_dot_product_attention: attn_mask must be bool or of the query's type, ") +
                     to_string(query_given.dtype()) + ", got " + to_string(attn_mask.dtype()));
  }
  // Scores and weights of halves are float32, as PyTorch's are: rounded ones cost most of the result's digits.
  const Dtype dtype = autocast(query_given).dtype();
  const bool halves = dtype == kBFloat16 || dtype == kFloat16;
  std::optional<Autocast> in_float;
  if (halves && is_autocast_enabled()) in_float.emplace(kBFloat16, false);
  const auto operand = [&](const Tensor& x) { return halves && x.defined() ? x.to(dtype).to(kFloat32) : x; };
  const Tensor query = operand(query_given),
               mask = attn_mask.defined() && attn_mask.dtype() != kBool ? operand(attn_mask) : attn_mask;
  key = operand(key);
  value = operand(value);
  const double factor = scale ? *scale : 1 / std::sqrt(static_cast<double>(query.size(-1)));
  Tensor scores = matmul(query * factor, transpose(key, -2, -1));
  if (is_causal) {
    const Tensor seen = tril(ones({query.size(-2), key.size(-2)}, {.dtype = kBool, .device = query.device()}));
    scores = masked_fill(scores, logical_not(seen), kNever);
  } else if (mask.defined()) {
    if (!(broadcast_shapes("scaled_dot_product_attention", mask.sizes(), scores.sizes()) == scores.sizes())) {
      throw ShapeError("scaled_dot_product_attention: attn_mask must broadcast to " + to_string(scores.sizes()) +
                       ", got " + to_string(mask.sizes()));
    }
    scores = mask.dtype() == kBool ? masked_fill(scores, logical_not(mask), kNever) : scores + mask;
  }
  const Tensor weights = mask.defined() ? softmax_or_zero(scores) : softmax(scores, -1);
  const Tensor y = matmul(dropout_p > 0 ? dropout(weights, dropout_p, true) : weights, value);
  return halves ? y.to(dtype) : y;
}

}  // namespace gradus
