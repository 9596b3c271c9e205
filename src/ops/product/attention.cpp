// One operation that never stores the scores, where the device has it and all of it is exact; else, and for gradients
// of gradients, composed from other operations.
#include <gradus/autocast.h>
#include <gradus/autograd/op.h>
#include <gradus/ops.h>
#include <gradus/ops/attention.h>
#include <gradus/ops/resampling.h>
#include <gradus/random.h>

#include <cmath>
#include <limits>

#include "core/range.h"
#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"

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

void check_heads(const Tensor& x, std::int64_t heads) {
  const std::int64_t own = x.size(-3);
  if (own == heads || (own >= 1 && heads % own == 0)) return;
  throw ShapeError("scaled_dot_product_attention: the query's heads must be a multiple of the others', got " +
                   std::to_string(heads) + " and " + std::to_string(own));
}

// Each head of x [..., H, S, E] as often as makes `heads`.
Tensor repeat_heads(const Tensor& x, std::int64_t heads) {
  const std::int64_t own = x.size(-3);
  if (own == heads) return x;
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

// Scores as they go into softmax. `mask` broadcasts to them.
Tensor scores_of(const Tensor& query, const Tensor& key, const Tensor& mask, bool is_causal, double scale) {
  const Tensor scores = matmul(query * scale, transpose(key, -2, -1));
  if (is_causal) {
    const Tensor seen = tril(ones({query.size(-2), key.size(-2)}, {.dtype = kBool, .device = query.device()}));
    return masked_fill(scores, logical_not(seen), kNever);
  }
  if (!mask.defined()) return scores;
  return mask.dtype() == kBool ? masked_fill(scores, logical_not(mask), kNever) : scores + mask;
}

kernel::HeadRows rows_of(const Tensor& x) {
  if (!x.defined()) return {};
  return {x.impl()->data, x.strides()[0], x.strides()[1], x.strides()[2]};
}

// With elements side by side in rows that do not overlap, as products of matrices want them.
Tensor in_rows(const Tensor& x) {
  if (x.strides()[3] == 1 && x.strides()[2] >= x.size(3)) return x;
  Tensor y = detail::make_empty(x.sizes(), x.dtype(), x.device());
  return y.copy_(x);
}

// Of [N, H, L, E], which lies as `like` does: position by position where a projection was split into heads, so that
// joining them again copies nothing.
Tensor laid_out_as(const Tensor& like, std::int64_t heads, std::int64_t rows, std::int64_t width) {
  const std::int64_t n = like.size(0);
  const Shape sizes{n, heads, rows, width};
  if (like.size(1) == 1 || like.strides()[2] < like.strides()[1])
    return detail::make_empty(sizes, like.dtype(), like.device());
  return detail::make_strided(sizes, {heads * rows * width, width, heads * width, 1}, like.dtype(), like.device());
}

// Which weights are dropped.
struct Dropout {
  double p = 0;
  kernel::RandomRange random = {};
};

kernel::Attention shape_of(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, bool is_causal,
                           double scale, const Dropout& dropout) {
  kernel::Attention a{.dtype = q.dtype(),
                      .batch = q.size(0),
                      .heads = q.size(1),
                      .queries = q.size(2),
                      .keys = k.size(2),
                      .shared = q.size(1) / k.size(1),
                      .width = q.size(3),
                      .value_width = v.size(3),
                      .scale = scale,
                      .causal = is_causal,
                      .q = rows_of(q),
                      .k = rows_of(k),
                      .v = rows_of(v),
                      .dropout = dropout.p,
                      .random = dropout.random};
  if (mask.defined()) {
    a.mask = mask.impl()->data;
    a.mask_is_bool = mask.dtype() == kBool;
    const Shape& strides = mask.strides();
    a.mask_batch = strides[0];
    a.mask_head = strides[1];
    a.mask_row = strides[2];
    a.mask_column = strides[3];
  }
  return a;
}

struct AttentionGradients {
  Tensor q, k, v;
};

// All gradients at once, as an operation: whoever counts or profiles sees it.
struct AttentionBackward final : Op {
  const Tensor &q, &k, &v, &mask, &y, &log_sums;
  bool is_causal;
  double scale;
  Dropout dropout;
  std::array<bool, 3> wanted;
  AttentionGradients out{};
  AttentionBackward(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& added,
                    const Tensor& result, const Tensor& sums, bool causal, double factor, const Dropout& drop,
                    std::array<bool, 3> w)
      : q(query),
        k(key),
        v(value),
        mask(added),
        y(result),
        log_sums(sums),
        is_causal(causal),
        scale(factor),
        dropout(drop),
        wanted(w) {}
  const char* name() const override { return "scaled_dot_product_attention_backward"; }
  Tensor forward(const Tensor& g_given) {
    const Tensor g = in_rows(g_given);
    if (wanted[0]) out.q = laid_out_as(q, q.size(1), q.size(2), q.size(3));
    if (wanted[1]) out.k = laid_out_as(k, k.size(1), k.size(2), k.size(3));
    if (wanted[2]) out.v = laid_out_as(v, v.size(1), v.size(2), v.size(3));
    kernel::Attention a = shape_of(q, k, v, mask, is_causal, scale, dropout);
    a.y = rows_of(y);
    a.log_sums = log_sums.impl()->data;
    a.g = rows_of(g);
    a.gq = rows_of(out.q);
    a.gk = rows_of(out.k);
    a.gv = rows_of(out.v);
    kernels(q.device()).attention_backward(a);
    return wanted[0] ? out.q : wanted[1] ? out.k : out.v;
  }
  void backward(const Tensor&, Grads) override {}  // runs only where nothing is recorded
  // Of the scores and their gradients, and one product for each gradient that is wanted.
  std::int64_t multiply_adds(const Tensor&, const Tensor&) const {
    const std::int64_t width = q.size(3), value_width = v.size(3);
    return q.size(0) * q.size(1) * q.size(2) * k.size(2) *
           (width + value_width + (wanted[0] ? width : 0) + (wanted[1] ? width : 0) + (wanted[2] ? value_width : 0));
  }
};

// Of q [N, H, L, E], k [N, H or fewer, S, E] and v [N, as k, S, Ev], which have elements. The mask is of no gradient.
struct Attention final : Op {
  Tensor mask;  // until forward has run
  Tensor log_sums;
  bool is_causal;
  double scale;
  Dropout dropout;
  Attention(const Tensor& added, bool causal, double factor, const Dropout& drop)
      : mask(added), is_causal(causal), scale(factor), dropout(drop) {}
  const char* name() const override { return "scaled_dot_product_attention"; }
  std::int64_t multiply_adds(const Tensor&, const Tensor& q, const Tensor& k, const Tensor& v) const {
    return q.size(0) * q.size(1) * q.size(2) * k.size(2) * (q.size(3) + v.size(3));
  }

  Tensor forward(const Tensor& q_given, const Tensor& k_given, const Tensor& v_given) {
    const Tensor q = in_rows(q_given), k = in_rows(k_given), v = in_rows(v_given);
    const Tensor y = laid_out_as(q, q.size(1), q.size(2), v.size(3));
    log_sums = detail::make_empty({q.size(0), q.size(1), q.size(2)}, q.dtype(), q.device());
    kernel::Attention a = shape_of(q, k, v, mask, is_causal, scale, dropout);
    a.y = rows_of(y);
    a.log_sums = log_sums.impl()->data;
    kernels(q.device()).attention(a);
    if (needs_any()) {
      save(0, q_given);
      save(1, k_given);
      save(2, v_given);
      if (mask.defined()) save(3, mask);
      save_output(y);
    }
    mask = Tensor();
    return y;
  }

  void backward(const Tensor& g, Grads gx) override {
    if (is_grad_enabled()) return differentiable(g, gx);
    const Tensor q = in_rows(saved(0)), k = in_rows(saved(1)), v = in_rows(saved(2)), y = output(),
                 mask = has_saved(3) ? saved(3) : Tensor();
    AttentionBackward op(q, k, v, mask, y, log_sums, is_causal, scale, dropout, {needs(0), needs(1), needs(2)});
    const Tensor* const given[] = {&g};
    static_cast<void>(detail::run(op, std::span<const Tensor* const>(given), g));
    gx[0] = op.out.q;
    gx[1] = op.out.k;
    gx[2] = op.out.v;
  }

 private:
  // The same from differentiable operations.
  void differentiable(const Tensor& g, Grads gx) {
    const Tensor q = saved(0), k_own = saved(1), v_own = saved(2), mask = has_saved(3) ? saved(3) : Tensor();
    const Tensor k = repeat_heads(k_own, q.size(1)), v = repeat_heads(v_own, q.size(1));
    const Tensor scores = scores_of(q, k, mask, is_causal, scale);
    const Tensor p = mask.defined() ? softmax_or_zero(scores) : softmax(scores, -1);
    const Tensor kept = dropped(p);
    // Heads that share one of k and v add up.
    const auto shared = [&](const Tensor& x) {
      const std::int64_t own = k_own.size(1);
      if (own == q.size(1)) return x;
      return sum(reshape(x, {x.size(0), own, q.size(1) / own, x.size(2), x.size(3)}), 2);
    };
    if (needs(2)) gx[2] = shared(matmul(transpose(kept.defined() ? p * kept : p, -2, -1), g));
    if (!needs(0) && !needs(1)) return;
    Tensor gp = matmul(g, transpose(v, -2, -1));
    if (kept.defined()) gp = gp * kept;
    const Tensor gs = p * (gp - sum(p * gp, -1, true)) * scale;
    if (needs(0)) gx[0] = matmul(gs, k);
    if (needs(1)) gx[1] = shared(matmul(transpose(gs, -2, -1), q));
  }

  // 0 and 1 / (1 - p), as forward has drawn them; undefined without dropout.
  Tensor dropped(const Tensor& weights) const {
    if (dropout.p == 0) return {};
    const NoGrad guard;
    const Tensor drawn = detail::make_empty(weights.sizes(), kBool, weights.device());
    void* to = drawn.impl()->data;
    kernels(weights.device())
        .fill_bernoulli(dropout.random, static_cast<std::uint8_t*>(to), drawn.numel(), 1 - dropout.p);
    const Tensor kept = drawn.to(weights.dtype());
    return dropout.p < 1 ? kept * (1 / (1 - dropout.p)) : kept;
  }
};

// As the operation wants it: with two leading dimensions.
Tensor in_four(const Tensor& x) {
  const Shape& sizes = x.sizes();
  const int rank = sizes.rank();
  if (rank == 4) return x;
  if (rank < 4) {
    Tensor y = x;
    for (int i = rank; i < 4; ++i) y = unsqueeze(y, 0);
    return y;
  }
  return reshape(x, {-1, sizes[rank - 3], sizes[rank - 2], sizes[rank - 1]});
}

// The same of a mask, which is expanded to all `sizes`.
Tensor mask_in_four(const Tensor& mask, const Shape& sizes) {
  Tensor y = expand(mask.detach().contiguous(), sizes);
  y = in_four(y);
  // One element for all, or side by side.
  const std::int64_t step = y.strides()[3];
  return y.size(3) == 1 || step == 0 || step == 1 ? y : y.contiguous();
}

// All sizes but the last two.
Shape leading(const Tensor& x) {
  Shape sizes = x.sizes();
  sizes.erase(sizes.rank() - 1);
  sizes.erase(sizes.rank() - 1);
  return sizes;
}

Tensor with_leading(const Tensor& x, const Shape& first) {
  Shape sizes = first;
  sizes.push_back(x.size(-2));
  sizes.push_back(x.size(-1));
  return x.sizes() == sizes ? x : expand(x, sizes);
}

// The operation, of operands whose leading sizes broadcast; of k and v, heads apart, where these are shared.
Tensor fused(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask, double dropout_p,
             bool is_causal, double scale, bool shared) {
  constexpr const char* call = "scaled_dot_product_attention";
  Shape first = leading(query), others = leading(key);
  const std::int64_t own = shared ? key.size(-3) : 0;
  if (shared) others[others.rank() - 1] = 1;
  first = broadcast_shapes(call, first, others);
  others = leading(value);
  if (shared) others[others.rank() - 1] = 1;
  first = broadcast_shapes(call, first, others);
  others = first;
  if (shared) others[others.rank() - 1] = own;
  const Tensor q = with_leading(query, first), k = with_leading(key, others), v = with_leading(value, others);
  Tensor added;
  if (mask.defined()) {
    Shape sizes = first;
    sizes.push_back(query.size(-2));
    sizes.push_back(key.size(-2));
    added = mask_in_four(mask, sizes);
  }
  const Tensor a = in_four(q), b = in_four(k), c = in_four(v);
  Dropout dropout{dropout_p};
  if (dropout_p > 0) {  // the numbers that gradus::dropout would draw for the weights
    detail::begin_loss("dropout", query, query);
    const std::int64_t weights = a.size(0) * a.size(1) * a.size(2) * b.size(2);
    Generator& from = default_generator();
    dropout.random = {from.seed(), from.advance(kernel::uniform_blocks(weights, 4))};
  }
  const Tensor y = apply(Attention(added, is_causal, scale, dropout), a, b, c);
  if (first.rank() == 2) return y;
  Shape sizes = first;
  sizes.push_back(query.size(-2));
  sizes.push_back(value.size(-1));
  return reshape(y, sizes);
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& query_given, const Tensor& key_given, const Tensor& value_given,
                                    const Tensor& attn_mask, double dropout_p, bool is_causal,
                                    std::optional<double> scale, bool enable_gqa) {
  if (autocasts(query_given, key_given, value_given) || (attn_mask.defined() && autocasts(attn_mask))) {
    const Tensor mask = attn_mask.defined() ? autocast(attn_mask) : attn_mask;
    return scaled_dot_product_attention(autocast(query_given), autocast(key_given), autocast(value_given), mask,
                                        dropout_p, is_causal, scale, enable_gqa);
  }
  check(query_given, key_given, value_given);
  if (is_causal && attn_mask.defined()) {
    throw ValueError("scaled_dot_product_attention: is_causal and attn_mask exclude each other");
  }
  if (enable_gqa && (query_given.dim() < 3 || key_given.dim() < 3 || value_given.dim() < 3)) {
    throw ShapeError("scaled_dot_product_attention: enable_gqa needs a dimension of heads, got query " +
                     to_string(query_given.sizes()));
  }
  if (attn_mask.defined() && attn_mask.dtype() != kBool && attn_mask.dtype() != query_given.dtype()) {
    throw DtypeError(std::string("scaled_dot_product_attention: attn_mask must be bool or of the query's type, ") +
                     to_string(query_given.dtype()) + ", got " + to_string(attn_mask.dtype()));
  }
  check_range("scaled_dot_product_attention", "dropout_p", dropout_p, between(0, 1));
  // Scores and weights of halves are float32, as PyTorch's are: rounded ones cost most of the result's digits.
  const Dtype dtype = autocast(query_given).dtype();
  const bool halves = dtype == kBFloat16 || dtype == kFloat16;
  std::optional<Autocast> in_float;
  if (halves && is_autocast_enabled()) in_float.emplace(kBFloat16, false);
  const auto operand = [&](const Tensor& x) { return halves && x.defined() ? x.to(dtype).to(kFloat32) : x; };
  const Tensor query = operand(query_given),
               mask = attn_mask.defined() && attn_mask.dtype() != kBool ? operand(attn_mask) : attn_mask;
  Tensor key = operand(key_given), value = operand(value_given);
  const double factor = scale ? *scale : 1 / std::sqrt(static_cast<double>(query.size(-1)));
  const bool exact = !(mask.defined() && mask.requires_grad() && is_grad_enabled()) && query.numel() > 0 &&
                     key.numel() > 0 && value.numel() > 0 && kernels(query.device()).attention != nullptr;
  bool shared = false;
  if (enable_gqa) {
    const std::int64_t heads = query.size(-3);
    check_heads(key, heads);
    check_heads(value, heads);
    shared = exact && key.size(-3) == value.size(-3) && key.size(-3) != heads;
    if (!shared) {
      key = repeat_heads(key, heads);
      value = repeat_heads(value, heads);
    }
  }
  if (mask.defined()) {
    Shape heads = leading(key);
    if (shared) heads[heads.rank() - 1] = query.size(-3);
    Shape sizes = broadcast_shapes("scaled_dot_product_attention", leading(query), heads);
    sizes.push_back(query.size(-2));
    sizes.push_back(key.size(-2));
    if (!(broadcast_shapes("scaled_dot_product_attention", mask.sizes(), sizes) == sizes)) {
      throw ShapeError("scaled_dot_product_attention: attn_mask must broadcast to " + to_string(sizes) + ", got " +
                       to_string(mask.sizes()));
    }
  }
  Tensor y;
  if (exact) {
    y = fused(query, key, value, mask, dropout_p, is_causal, factor, shared);
  } else {
    const Tensor scores = scores_of(query, key, mask, is_causal, factor);
    const Tensor weights = mask.defined() ? softmax_or_zero(scores) : softmax(scores, -1);
    y = matmul(dropout_p > 0 ? dropout(weights, dropout_p, true) : weights, value);
  }
  return halves ? y.to(dtype) : y;
}

}  // namespace gradus
