// Attention in blocks, beside the same from matmul and softmax.
#include <gmock/gmock.h>
#include <gradus/gradus.h>
#include <gradus/ops/attention.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "support/gradcheck.h"

namespace gradus {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Case {
  std::string name;
  Shape q, k, v;
  Shape mask = {};  // none where empty
  char kind = ' ';  // of the mask: bool, or f: added
  bool causal = false, gqa = false;
};

Tensor repeated(const Tensor& x, std::int64_t heads) {
  return x.size(-3) == heads ? x : repeat_interleave(x, heads / x.size(-3), -3);
}

// As the formula says it; rows that see nothing are zero.
Tensor plainly(const Tensor& q, const Tensor& k_given, const Tensor& v_given, const Tensor& mask, const Case& c) {
  const Tensor k = c.gqa ? repeated(k_given, q.size(-3)) : k_given, v = c.gqa ? repeated(v_given, q.size(-3)) : v_given;
  Tensor scores = matmul(q, transpose(k, -2, -1)) / std::sqrt(static_cast<double>(q.size(-1)));
  Tensor seen = ones(scores.sizes(), {.dtype = kBool});
  if (c.causal) seen = logical_and(seen, tril(ones({q.size(-2), k.size(-2)}, {.dtype = kBool})));
  if (mask.defined() && c.kind == 'b') seen = logical_and(seen, mask);
  if (mask.defined() && c.kind == 'f') {
    seen = logical_and(seen, mask > -kInfinity);
    scores = scores + masked_fill(mask, mask == -kInfinity, 0);
  }
  const Tensor blind = logical_not(any(seen, -1, true));
  const Tensor weights =
      softmax(masked_fill(scores, logical_and(logical_not(seen), logical_not(blind)), -kInfinity), -1);
  return matmul(masked_fill(weights, blind, 0), v);
}

// One in three is hidden, and in each sample the second query sees nothing.
Tensor mask_of(const Case& c) {
  if (c.mask.rank() == 0) return {};
  Tensor seen = rand(c.mask) > 0.33;
  if (c.mask[c.mask.rank() - 2] > 1) select(seen, -2, 1).fill_(0);
  if (c.kind == 'b') return seen;
  return masked_fill(randn(c.mask, {.dtype = kFloat64}), logical_not(seen), -kInfinity);
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"one block", {2, 3, 5, 8}, {2, 3, 7, 8}, {2, 3, 7, 4}},
      {"without leading sizes", {5, 8}, {7, 8}, {7, 4}},
      {"heads alone", {3, 5, 8}, {3, 7, 8}, {3, 7, 4}},
      {"three leading sizes that broadcast", {2, 1, 3, 5, 4}, {3, 1, 7, 4}, {7, 2}},
      {"a query", {2, 3, 1, 8}, {2, 3, 300, 8}, {2, 3, 300, 8}},
      {"bounds of blocks", {1, 2, 128, 4}, {1, 2, 256, 4}, {1, 2, 256, 4}},
      {"past them by one", {1, 2, 129, 4}, {1, 2, 257, 4}, {1, 2, 257, 4}},
      {"many blocks, one head", {1, 1, 300, 4}, {1, 1, 1100, 4}, {1, 1, 1100, 3}},
      {"causal", {2, 2, 300, 4}, {2, 2, 300, 4}, {2, 2, 300, 4}, {}, ' ', true},
      {"causal with more keys than queries", {1, 2, 40, 4}, {1, 2, 600, 4}, {1, 2, 600, 4}, {}, ' ', true},
      {"causal with more queries than keys", {1, 2, 600, 4}, {1, 2, 40, 4}, {1, 2, 40, 4}, {}, ' ', true},
      {"of grouped heads", {2, 6, 9, 4}, {2, 2, 11, 4}, {2, 2, 11, 5}, {}, ' ', false, true},
      {"causal of grouped heads", {2, 6, 270, 4}, {2, 3, 270, 4}, {2, 3, 270, 5}, {}, ' ', true, true},
      {"heads grouped apart", {2, 6, 9, 4}, {2, 2, 11, 4}, {2, 3, 11, 5}, {}, ' ', false, true},
      {"bool mask of all", {2, 3, 140, 4}, {2, 3, 270, 4}, {2, 3, 270, 4}, {2, 3, 140, 270}, 'b'},
      {"bool mask of keys", {2, 3, 140, 4}, {2, 3, 270, 4}, {2, 3, 270, 4}, {2, 1, 1, 270}, 'b'},
      {"bool mask of queries", {2, 3, 140, 4}, {2, 3, 270, 4}, {2, 3, 270, 4}, {140, 1}, 'b'},
      {"mask of grouped heads", {2, 6, 9, 4}, {2, 2, 11, 4}, {2, 2, 11, 5}, {2, 6, 9, 11}, 'b', false, true},
      {"added mask", {2, 3, 140, 4}, {2, 3, 270, 4}, {2, 3, 270, 4}, {140, 270}, 'f'},
      {"added mask of heads", {2, 3, 9, 4}, {2, 3, 7, 4}, {2, 3, 7, 4}, {3, 9, 1}, 'f'},
      {"added mask of five sizes", {2, 2, 3, 9, 4}, {2, 2, 3, 7, 4}, {2, 2, 3, 7, 4}, {2, 1, 1, 9, 7}, 'f'},
  };
  return all;
}

TEST(Attention, ValuesAndGradientsAreThoseOfTheFormula) {
  manual_seed(3);
  for (const Case& c : cases()) {
    const Tensor mask = mask_of(c);
    std::vector<Tensor> results[2];
    const Tensor q = randn(c.q, {.dtype = kFloat64}), k = randn(c.k, {.dtype = kFloat64}),
                 v = randn(c.v, {.dtype = kFloat64});
    Tensor g;
    for (int plain = 0; plain < 2; ++plain) {
      const Tensor a = q.clone().requires_grad_(), b = k.clone().requires_grad_(), d = v.clone().requires_grad_();
      const Tensor y =
          plain == 1 ? plainly(a, b, d, mask, c) : scaled_dot_product_attention(a, b, d, mask, 0, c.causal, {}, c.gqa);
      if (!g.defined()) g = randn(y.sizes(), {.dtype = kFloat64});
      ASSERT_EQ(y.sizes(), g.sizes()) << c.name;
      results[plain] = autograd::grad({y}, {a, b, d}, {g});
      results[plain].push_back(y.detach());
    }
    for (int i = 0; i < 4; ++i)
      EXPECT_LT((results[0][static_cast<std::size_t>(i)] - results[1][static_cast<std::size_t>(i)]).abs().max().item(),
                1e-12)
          << c.name << ": " << (i < 3 ? "gradient " + std::to_string(i) : "value");
  }
}

TEST(Attention, GradientsOfGradients) {
  manual_seed(4);
  for (const Case& c : {Case{"plain", {2, 2, 3, 2}, {2, 2, 4, 2}, {2, 2, 4, 2}},
                        Case{"causal, grouped", {1, 4, 3, 2}, {1, 2, 4, 2}, {1, 2, 4, 2}, {}, ' ', true, true},
                        Case{"masked", {1, 2, 3, 2}, {1, 2, 4, 2}, {1, 2, 4, 2}, {3, 4}, 'b'}}) {
    const Tensor mask = mask_of(c);
    const auto call = [&](const std::vector<Tensor>& x) {
      return scaled_dot_product_attention(x[0], x[1], x[2], mask, 0, c.causal, {}, c.gqa);
    };
    std::vector<Tensor> inputs;
    for (const Shape& sizes : {c.q, c.k, c.v}) inputs.push_back(randn(sizes, {.dtype = kFloat64}).requires_grad_());
    EXPECT_TRUE(test::gradcheck(call, inputs)) << c.name;
    EXPECT_TRUE(test::gradgradcheck(call, inputs)) << c.name;
  }
}

TEST(Attention, AMaskThatTrainsHasItsGradient) {
  const Tensor mask = randn({3, 4}, {.dtype = kFloat64}).requires_grad_();
  const auto call = [&](const std::vector<Tensor>& x) { return scaled_dot_product_attention(x[0], x[1], x[2], x[3]); };
  EXPECT_TRUE(test::gradcheck(call, {randn({2, 3, 2}, {.dtype = kFloat64}), randn({2, 4, 2}, {.dtype = kFloat64}),
                                     randn({2, 4, 2}, {.dtype = kFloat64}), mask}));
}

// Heads that were split from one projection, whose rows lie apart, and other ways to lie in memory.
TEST(Attention, OperandsMayLieAsTheyLike) {
  manual_seed(5);
  const Tensor all = randn({2, 9, 3 * 4 * 6}, {.dtype = kFloat64});
  const auto parts = chunk(all, 3, -1);
  const auto heads = [&](const Tensor& x) { return transpose(reshape(x, {2, 9, 4, 6}), 1, 2); };
  const Tensor q = heads(parts[0]), k = heads(parts[1]), v = heads(parts[2]);
  const Tensor want = scaled_dot_product_attention(q.contiguous(), k.contiguous(), v.contiguous());
  const auto same = [&](const Tensor& y) { return (y - want).abs().max().item() == 0; };
  const Tensor y = scaled_dot_product_attention(q, k, v);
  EXPECT_TRUE(same(y));
  EXPECT_TRUE(transpose(y, 1, 2).is_contiguous());  // joining the heads copies nothing
  EXPECT_TRUE(same(scaled_dot_product_attention(transpose(transpose(q, 2, 3).contiguous(), 2, 3), k, v)));
  const Tensor row = randn({2, 4, 1, 6}, {.dtype = kFloat64});
  const Tensor a = scaled_dot_product_attention(expand(row, {2, 4, 9, 6}), k, v);
  EXPECT_EQ((a - expand(scaled_dot_product_attention(row, k, v), {2, 4, 9, 6})).abs().max().item() < 1e-14, true);
  // A gradient that is one number for all.
  const Tensor leaf = q.detach().clone().requires_grad_(), other = q.detach().clone().requires_grad_();
  scaled_dot_product_attention(leaf, k, v).sum().backward();
  (scaled_dot_product_attention(other, k, v) * ones({2, 4, 9, 6}, {.dtype = kFloat64})).sum().backward();
  EXPECT_EQ((leaf.grad() - other.grad()).abs().max().item(), 0);
}

TEST(Attention, BitsDoNotDependOnThreads) {
  manual_seed(6);
  const int before = get_num_threads();
  for (const Shape& sizes : {Shape{1, 1, 600, 16}, Shape{3, 5, 300, 16}}) {
    std::vector<Tensor> all[2];
    const Tensor x = randn({3, sizes[0], sizes[1], sizes[2], sizes[3]});
    for (int i = 0; i < 2; ++i) {
      set_num_threads(i == 0 ? 1 : 3);
      const Tensor leaf = x.clone().requires_grad_();
      const Tensor y = scaled_dot_product_attention(leaf[0], leaf[1], leaf[2], Tensor(), 0, true);
      (y * y).sum().backward();
      all[i] = {y.detach().contiguous(), leaf.grad().contiguous()};
    }
    for (std::size_t i = 0; i < 2; ++i)
      EXPECT_EQ(std::memcmp(all[0][i].const_data_ptr(), all[1][i].const_data_ptr(),
                            static_cast<std::size_t>(all[0][i].numel()) * 4),
                0);
  }
  set_num_threads(before);
}

// The scores of one sample would take 64 MB.
TEST(Attention, DoesNotStoreTheScores) {
  const Tensor x = randn({3, 1, 4, 2048, 16}).requires_grad_();
  const std::int64_t before = static_cast<std::int64_t>(memory_stats().current_bytes);
  reset_peak_memory();
  scaled_dot_product_attention(x[0], x[1], x[2]).sum().backward();
  EXPECT_LT(static_cast<std::int64_t>(memory_stats().peak_bytes) - before, 24 << 20);
}

TEST(Attention, NumbersThatAreNotFinite) {
  Tensor q = zeros({1, 1, 2, 2}), k = zeros({1, 1, 3, 2}), v = ones({1, 1, 3, 2});
  q[0][0][0][0].fill_(std::numeric_limits<double>::quiet_NaN());
  const Tensor y = scaled_dot_product_attention(q, k, v);
  EXPECT_TRUE(isnan(y[0][0][0]).all().item<bool>());
  EXPECT_EQ(y[0][0][1].to_vector<double>(), (std::vector<double>{1, 1}));
  k[0][0][2].fill_(std::numeric_limits<double>::quiet_NaN());  // hidden keys are not looked at
  const Tensor mask = tensor(std::vector<std::int64_t>{1, 1, 0}).to(kBool);
  EXPECT_EQ(scaled_dot_product_attention(zeros({1, 1, 1, 2}), k, v, mask).to_vector<double>(),
            (std::vector<double>{1, 1}));
}

// The weights that gradus::dropout drops are dropped here too, and gradients are those of what remains.
TEST(Attention, DropsWhatDropoutDrops) {
  for (const Shape& sizes : {Shape{2, 3, 5, 4}, Shape{1, 2, 150, 4}, Shape{2, 1, 300, 4}}) {
    manual_seed(8);
    std::vector<Tensor> results[2];
    const Tensor x = randn({3, sizes[0], sizes[1], sizes[2], sizes[3]}, {.dtype = kFloat64}),
                 g = randn(sizes, {.dtype = kFloat64});
    for (int plain = 0; plain < 2; ++plain) {
      manual_seed(9);
      const Tensor leaf = x.clone().requires_grad_();
      const Tensor q = leaf[0], k = leaf[1], v = leaf[2];
      const Tensor y = plain == 1 ? matmul(dropout(softmax(matmul(q, transpose(k, -2, -1)) / 2, -1), 0.3, true), v)
                                  : scaled_dot_product_attention(q, k, v, Tensor(), 0.3);
      results[plain] = autograd::grad({y}, {leaf}, {g});
      results[plain].push_back(y.detach());
      results[plain].push_back(rand({1}, {.dtype = kFloat64}));  // as many numbers are used up
    }
    for (std::size_t i = 0; i < 3; ++i)
      EXPECT_LT((results[0][i] - results[1][i]).abs().max().item(), 1e-12) << sizes[2] << " " << i;
  }
  const Tensor x = randn({1, 2, 3, 2}, {.dtype = kFloat64}).requires_grad_();
  EXPECT_TRUE(test::gradgradcheck(
      [](const std::vector<Tensor>& in) {
        manual_seed(4);
        return scaled_dot_product_attention(in[0], in[0] * 0.5, sin(in[0]), Tensor(), 0.4);
      },
      {x}));
  EXPECT_THROW(scaled_dot_product_attention(x, x, x, Tensor(), 1.5), ValueError);
}

TEST(Attention, DropoutAndEmptyOperands) {
  manual_seed(7);
  const Tensor x = randn({1, 2, 8, 4});
  EXPECT_EQ(scaled_dot_product_attention(x, x, x, Tensor(), 1.0).abs().max().item(), 0);
  EXPECT_GT(
      (scaled_dot_product_attention(x, x, x, Tensor(), 0.5) - scaled_dot_product_attention(x, x, x)).abs().max().item(),
      0);
  EXPECT_EQ(scaled_dot_product_attention(x, zeros({1, 2, 0, 4}), zeros({1, 2, 0, 3})).sizes(), Shape({1, 2, 8, 3}));
  EXPECT_EQ(scaled_dot_product_attention(x, zeros({1, 2, 0, 4}), zeros({1, 2, 0, 3})).abs().max().item(), 0);
}

}  // namespace
}  // namespace gradus
