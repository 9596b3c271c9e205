// Normalisation of awkward values: all equal, huge, tiny. Every layout that has loops of its own, and what follows.
#include <gradus/autograd.h>
#include <gradus/flops.h>
#include <gradus/ops.h>
#include <gradus/ops/normalization.h>
#include <gradus/random.h>

#include <gtest/gtest.h>

#include <cmath>

#include "ops/norm/batch_norm.h"
#include "ops/shape/layout.h"

namespace gradus {
namespace {

using Norm = std::function<Tensor(const Tensor& x, double eps)>;

Tensor channels_last(const Tensor& x) { return x.permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2}); }

// By name, of x [N, C, H, W].
std::vector<std::pair<std::string, Norm>> norms() {
  const auto batch = [](const Tensor& x, double eps) {
    return batch_norm(x, Tensor(), Tensor(), Tensor(), Tensor(), true, 0.1, eps);
  };
  return {
      {"batch", batch},
      {"batch, channels last", [=](const Tensor& x, double eps) { return batch(channels_last(x), eps); }},
      {"batch, channels last, with what follows",
       [](const Tensor& x, double eps) {
         const Tensor w = full({x.size(1)}, 1, {.dtype = x.dtype()});
         const Tensor y = ops::batch_norm(channels_last(x), Tensor(), Tensor(), w, Tensor(), true, 0.1, eps,
                                          {.residual = channels_last(zeros_like(x)), .relu = true});
         const Tensor z = ops::batch_norm(channels_last(x), Tensor(), Tensor(), -w, Tensor(), true, 0.1, eps,
                                          {.residual = channels_last(zeros_like(x)), .relu = true});
         return y - z;
       }},
      {"batch, of rows",
       [=](const Tensor& x, double eps) {
         const Tensor rows = x.permute({0, 2, 3, 1}).reshape({-1, x.size(1)});
         return batch(rows, eps).reshape({x.size(0), x.size(2), x.size(3), x.size(1)}).permute({0, 3, 1, 2});
       }},
      {"instance", [](const Tensor& x,
                      double eps) { return instance_norm(x, Tensor(), Tensor(), Tensor(), Tensor(), true, 0.1, eps); }},
      {"group", [](const Tensor& x, double eps) { return group_norm(x, 2, Tensor(), Tensor(), eps); }},
      {"layer",
       [](const Tensor& x, double eps) {
         return layer_norm(x, {x.size(1), x.size(2), x.size(3)}, Tensor(), Tensor(), eps);
       }},
      {"layer, of rows",
       [](const Tensor& x, double eps) { return layer_norm(x, {x.size(3)}, Tensor(), Tensor(), eps); }}};
}

double largest(const Tensor& x) { return max(abs(x.detach()).to(kFloat64)).item(); }

TEST(Normalization, ValuesThatAreAllEqualBecomeZero) {
  manual_seed(5);
  for (const Dtype dtype : {kFloat32, kBFloat16, kFloat64}) {
    for (const auto& [name, norm] : norms()) {
      for (const double size : {1.0, 300.0, 1e4, 1e6, 1e10}) {
        for (int i = 0; i < 4; ++i) {
          SCOPED_TRACE(name + ", " + to_string(dtype) + ", " + std::to_string(size));
          const double value = (rand({1}).item() * 2 - 1) * size;
          const Tensor x = full({3, 4, 7, 7}, value, {.dtype = dtype}).requires_grad_();
          const Tensor y = norm(x, 1e-5);
          EXPECT_EQ(largest(y), 0);
          const Tensor g = autograd::grad({sum(y * y + y)}, {x}, {}, {.create_graph = true})[0];
          EXPECT_LT(largest(g), 1e4);
          EXPECT_TRUE(isfinite(autograd::grad({sum(g * g)}, {x})[0]).all().item<bool>());
        }
      }
    }
  }
}

TEST(Normalization, AConstantChannelHasItsMeanAndNoVariance) {
  for (const bool last : {false, true}) {
    const Tensor x = full({5, 3, 9, 11}, 1234.567f);
    const Tensor mean = zeros({3}), var = ones({3});
    batch_norm(last ? channels_last(x) : x, mean, var, Tensor(), Tensor(), true, 1.0);
    EXPECT_EQ(mean.to_vector<float>(), std::vector<float>(3, 1234.567f));
    EXPECT_EQ(var.to_vector<float>(), std::vector<float>(3, 0));
  }
}

// The values and gradients of x are those of x / scale, where eps does not count, the latter over scale.
TEST(Normalization, HugeAndTinyValuesAreNormalisedAsOthers) {
  manual_seed(6);
  const Tensor plain = randn({4, 6, 5, 5}), weigh = randn({4, 6, 5, 5});
  for (const auto& [name, norm] : norms()) {
    const auto run = [&norm = norm, &weigh](const Tensor& x, bool again) {
      const Tensor leaf = x.detach().requires_grad_();
      const Tensor y = norm(leaf, 0);
      const Tensor g = autograd::grad({sum(y * weigh.to(x.dtype()))}, {leaf}, {}, {.create_graph = again})[0];
      return std::pair(y.detach().to(kFloat64), g.detach().to(kFloat64));
    };
    const auto [wanted, slope] = run(plain.to(kFloat64), false);
    for (const double scale : {1e19, 1e30, 1e36, 1e-19, 1e-30, 1e-36}) {
      for (const bool again : {false, true}) {
        SCOPED_TRACE(name + ", " + std::to_string(std::log10(scale)) + (again ? ", recorded" : ""));
        const auto [y, g] = run(plain * scale, again);
        EXPECT_LT(largest(y - wanted), 1e-5);
        EXPECT_LT(largest(g * scale - slope), 1e-4 * largest(slope));
      }
    }
  }
}

// One operation, whose kernel takes the layout: its costs do not depend on it, forward or backward.
TEST(Normalization, CostsTheSameInBothLayouts) {
  const Tensor x = randn({3, 8, 5, 4}), g = ones({3, 8, 5, 4});
  std::vector<std::int64_t> forward, all;
  for (const bool rows : {false, true}) {
    const Tensor in = (rows ? channels_last(x) : x.clone()).detach().requires_grad_();
    const Tensor w = ones({8}, {.requires_grad = true}), b = zeros({8}, {.requires_grad = true});
    const Tensor grad = rows ? channels_last(g) : g;
    FlopCounter counter;
    const Tensor y = batch_norm(in, Tensor(), Tensor(), w, b, true, 0.1, 1e-5);
    EXPECT_EQ(ops::prefers_channels_last(y), rows);
    forward.push_back(counter.total());
    y.backward(grad);
    all.push_back(counter.by_operation().at("batch_norm").flops);
  }
  EXPECT_EQ(forward[0], 7 * x.numel());
  EXPECT_EQ(forward[0], forward[1]);
  EXPECT_GT(all[0], forward[0]);
  EXPECT_EQ(all[0], all[1]);
}

}  // namespace
}  // namespace gradus
