// Muon beside its fallback, in one optimizer.
#include <gradus/ops.h>
#include <gradus/optim/adam.h>
#include <gradus/optim/muon.h>
#include <gradus/random.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace gradus {
namespace {

void step_with(optim::Optimizer& opt, std::uint64_t seed) {
  Generator generator(seed);
  for (Tensor& p : opt.parameters()) p.set_grad(randn(p.sizes(), {.dtype = p.dtype()}, &generator));
  opt.step();
}

TEST(Muon, MatricesAndOthersInOneOptimizerWithOneStateDict) {
  manual_seed(1);
  const TensorOptions trained{.dtype = kFloat64, .requires_grad = true};
  Tensor weight = randn({6, 4}, trained), bias = randn({6}, trained), embedding = randn({9, 4}, trained);
  Tensor same_weight = weight.detach().clone().requires_grad_(), same_bias = bias.detach().clone().requires_grad_(),
         same_embedding = embedding.detach().clone().requires_grad_();
  optim::Muon opt({{.params = {weight, bias}}, {.params = embedding, .fallback = "all"}},
                  {.fallback = "auto", .fallback_lr = 0.01, .fallback_weight_decay = 0.1});
  optim::Muon alone(same_weight);
  const optim::AdamWOptions fallback{.lr = 0.01, .betas = std::pair(0.9, 0.95), .eps = 1e-10, .weight_decay = 0.1};
  optim::AdamW others({same_bias, same_embedding}, fallback);
  for (std::uint64_t i = 0; i < 10; ++i) {
    step_with(opt, i);
    same_weight.set_grad(weight.grad());
    same_bias.set_grad(bias.grad());
    same_embedding.set_grad(embedding.grad());
    alone.step();
    others.step();
  }
  EXPECT_TRUE(equal(weight, same_weight));
  EXPECT_TRUE(equal(bias, same_bias));
  EXPECT_TRUE(equal(embedding, same_embedding));
  const auto state = opt.state_dict();
  ASSERT_EQ(state.params.size(), 3u);
  EXPECT_TRUE(state.params.at("param.0").tensors.count("momentum_buffer"));
  EXPECT_TRUE(state.params.at("param.1").tensors.count("exp_avg_sq"));
  EXPECT_TRUE(state.params.at("param.2").tensors.count("exp_avg_sq"));
}

// With enough steps of the cubic iteration, which converges, the update is the orthogonal factor.
TEST(Muon, AnUpdateIsNearlyOrthogonal) {
  manual_seed(2);
  for (const Shape& shape : {Shape{40, 12}, Shape{12, 40}, Shape{20, 20}}) {
    Tensor p = zeros(shape, {.dtype = kFloat64, .requires_grad = true});
    optim::Muon opt(p, {.lr = 1, .ns_coefficients = std::array{1.5, -0.5, 0.0}, .ns_steps = 60});
    const Tensor g = randn(shape, {.dtype = kFloat64});
    p.set_grad(g);
    opt.step();
    const double rate = std::sqrt(std::max(1.0, static_cast<double>(shape[0]) / static_cast<double>(shape[1])));
    const Tensor u = p.detach() * (-1 / rate), wide = shape[0] < shape[1] ? u : u.t();
    EXPECT_TRUE(allclose(matmul(wide, wide.t()), eye(wide.size(0)).to(kFloat64), 1e-9, 1e-9));
    // The nearest orthogonal matrix to g makes g's part in its direction symmetric.
    const Tensor part = matmul(shape[0] < shape[1] ? g : g.t(), wide.t());
    EXPECT_TRUE(allclose(part, part.t(), 1e-8, 1e-8));
  }
}

}  // namespace
}  // namespace gradus
