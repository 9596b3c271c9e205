// Losses, activations and layers' functions against PyTorch's numbers, and what those cannot say: errors, second
// derivatives, types.
#include <gradus/autograd.h>
#include <gradus/core/memory.h>
#include <gradus/nn/functional.h>
#include <gradus/random.h>

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "support/paths.h"

namespace gradus {
namespace {

namespace F = nn::functional;
using nlohmann::json;
using nn::Reduction;

// --- replay of tests/traces/nn_forward.json --------------------------------------------------------------------------

double number_of(const json& j) {
  if (!j.is_string()) return j.get<double>();
  const std::string s = j.get<std::string>();
  return s == "nan" ? std::nan("") : s == "inf" ? INFINITY : -INFINITY;
}

std::vector<double> numbers(const json& list) {
  std::vector<double> values;
  for (const json& j : list) values.push_back(number_of(j));
  return values;
}

Tensor array(const json& j) {
  const bool integers = j.value("dtype", "float64") == "int64";
  return tensor(numbers(j["data"]), Shape(j["shape"].get<std::vector<std::int64_t>>()),
                {.dtype = integers ? kInt64 : kFloat64});
}

struct Case {
  std::map<std::string, Tensor> inputs;
  json options;

  Tensor in(const std::string& name) const { return inputs.count(name) ? inputs.at(name) : Tensor(); }
  Tensor x() const { return inputs.at("input"); }
  Tensor target() const { return inputs.at("target"); }
  double number(const char* name, double fallback) const {
    return options.contains(name) ? number_of(options[name]) : fallback;
  }
  std::int64_t dim() const { return options["dim"].get<std::int64_t>(); }
  std::int64_t ignore_index() const { return options.value("ignore_index", std::int64_t{-100}); }
  Reduction reduction() const { return Reduction(std::string_view(options.value("reduction", "mean"))); }
};

const std::map<std::string, std::function<Tensor(const Case&)>>& functions() {
  static const std::map<std::string, std::function<Tensor(const Case&)>> all{
      {"cross_entropy",
       [](const Case& c) {
         return F::cross_entropy(c.x(), c.target(),
                                 {.weight = c.in("weight"),
                                  .ignore_index = c.ignore_index(),
                                  .reduction = c.reduction(),
                                  .label_smoothing = c.number("label_smoothing", 0)});
       }},
      {"nll_loss",
       [](const Case& c) {
         return F::nll_loss(c.x(), c.target(),
                            {.weight = c.in("weight"), .ignore_index = c.ignore_index(), .reduction = c.reduction()});
       }},
      {"binary_cross_entropy",
       [](const Case& c) {
         return F::binary_cross_entropy(c.x(), c.target(), {.weight = c.in("weight"), .reduction = c.reduction()});
       }},
      {"binary_cross_entropy_with_logits",
       [](const Case& c) {
         return F::binary_cross_entropy_with_logits(
             c.x(), c.target(),
             {.weight = c.in("weight"), .reduction = c.reduction(), .pos_weight = c.in("pos_weight")});
       }},
      {"mse_loss", [](const Case& c) { return F::mse_loss(c.x(), c.target(), {.reduction = c.reduction()}); }},
      {"l1_loss", [](const Case& c) { return F::l1_loss(c.x(), c.target(), {.reduction = c.reduction()}); }},
      {"huber_loss",
       [](const Case& c) {
         return F::huber_loss(c.x(), c.target(), {.reduction = c.reduction(), .delta = c.number("delta", 1)});
       }},
      {"smooth_l1_loss",
       [](const Case& c) {
         return F::smooth_l1_loss(c.x(), c.target(), {.reduction = c.reduction(), .beta = c.number("beta", 1)});
       }},
      {"kl_div",
       [](const Case& c) {
         return F::kl_div(c.x(), c.target(),
                          {.reduction = c.reduction(), .log_target = c.options.value("log_target", false)});
       }},
      {"cosine_embedding_loss",
       [](const Case& c) {
         return F::cosine_embedding_loss(c.in("input1"), c.in("input2"), c.target(),
                                         {.margin = c.number("margin", 0), .reduction = c.reduction()});
       }},
      {"tanh", [](const Case& c) { return F::tanh(c.x()); }},
      {"sigmoid", [](const Case& c) { return F::sigmoid(c.x()); }},
      {"relu", [](const Case& c) { return F::relu(c.x()); }},
      {"silu", [](const Case& c) { return F::silu(c.x()); }},
      {"leaky_relu", [](const Case& c) { return F::leaky_relu(c.x(), c.number("negative_slope", 0.01)); }},
      {"elu", [](const Case& c) { return F::elu(c.x(), c.number("alpha", 1)); }},
      {"gelu", [](const Case& c) { return F::gelu(c.x(), c.options.value("approximate", "none")); }},
      {"softplus", [](const Case& c) { return F::softplus(c.x(), c.number("beta", 1), c.number("threshold", 20)); }},
      {"softmax", [](const Case& c) { return F::softmax(c.x(), c.dim()); }},
      {"log_softmax", [](const Case& c) { return F::log_softmax(c.x(), c.dim()); }},
      {"logsumexp", [](const Case& c) { return logsumexp(c.x(), c.dim()); }},
      {"linear", [](const Case& c) { return F::linear(c.x(), c.in("weight"), c.in("bias")); }},
      {"bilinear",
       [](const Case& c) { return F::bilinear(c.in("input1"), c.in("input2"), c.in("weight"), c.in("bias")); }},
      {"embedding",
       [](const Case& c) {
         return F::embedding(c.x(), c.in("weight"), c.options.value("padding_idx", std::int64_t{-1}));
       }},
  };
  return all;
}

void expect_close(const std::vector<double>& got, const std::vector<double>& wanted, const std::string& what) {
  ASSERT_EQ(got.size(), wanted.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(wanted[i]) || std::isinf(wanted[i])) {
      EXPECT_TRUE(got[i] == wanted[i] || (std::isnan(got[i]) && std::isnan(wanted[i])))
          << what << " at " << i << got[i];
    } else {
      EXPECT_NEAR(got[i], wanted[i], 1e-12 + 1e-9 * std::abs(wanted[i])) << what << " at " << i;
    }
  }
}

TEST(Functional, GivesPyTorchsNumbers) {
  const json trace = json::parse(std::ifstream(test::source_path("tests/traces/nn_forward.json")));
  int replayed = 0;
  for (const json& recorded : trace["cases"]) {
    // What an embedding module does with its gradient is that module's.
    if (recorded["options"].contains("scale_grad_by_freq")) continue;
    const std::string op = recorded["op"];
    const std::string what = op + " " + recorded["options"].dump();
    ASSERT_TRUE(functions().count(op)) << op;
    Case c{{}, recorded["options"]};
    for (const auto& [name, values] : recorded["inputs"].items()) {
      c.inputs[name] = array(values);
      if (recorded["grads"].contains(name)) c.inputs[name].requires_grad_();
    }
    const Tensor y = functions().at(op)(c);
    EXPECT_EQ(y.sizes(), Shape(recorded["output"]["shape"].get<std::vector<std::int64_t>>())) << what;
    expect_close(y.to_vector<double>(), numbers(recorded["output"]["data"]), what);
    const Tensor coefficients = tensor(numbers(recorded["coefficients"]), {.dtype = kFloat64});
    sum(reshape(y, {-1}) * coefficients).backward();
    for (const auto& [name, slopes] : recorded["grads"].items()) {
      expect_close(c.inputs[name].grad().to_vector<double>(), numbers(slopes), what + ": gradient of " + name);
    }
    ++replayed;
  }
  EXPECT_GT(replayed, 160);
}

// --- derivatives of derivatives --------------------------------------------------------------------------------------

using Loss = std::function<Tensor(const Tensor&)>;

// Compares the gradient, and the gradient of a weighted sum of it, with differences.
void check_derivatives(const std::string& what, const Tensor& at, const Loss& loss) {
  const auto slope = [&](const Tensor& point, bool create_graph) {
    return autograd::grad({sum(loss(point))}, {point}, {}, {.create_graph = create_graph})[0];
  };
  Tensor x = at.clone().requires_grad_();
  const Tensor g = slope(x, true);
  const Tensor direction = sin(arange(at.numel(), {.dtype = kFloat64}) + 1).reshape(at.sizes());
  const Tensor gg = autograd::grad({sum(g * direction)}, {x}, {}, {.allow_unused = true})[0];
  std::vector<double> first, second, values = at.to_vector<double>();
  for (double& value : values) {
    const auto near = [&](double step) {
      const double kept = std::exchange(value, value + step);
      Tensor point = tensor(values, at.sizes(), {.dtype = kFloat64, .requires_grad = true});
      value = kept;
      return point;
    };
    const Tensor up = near(1e-5), down = near(-1e-5);
    first.push_back((sum(loss(up)) - sum(loss(down))).item() / 2e-5);
    second.push_back(sum((slope(up, false) - slope(down, false)) * direction).item() / 2e-5);
  }
  const auto compare = [&](const std::vector<double>& got, const std::vector<double>& wanted, const char* order) {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_NEAR(got[i], wanted[i], 1e-7 + 1e-5 * std::abs(wanted[i])) << what << order << i;
    }
  };
  compare(g.to_vector<double>(), first, ", first derivative ");
  compare(gg.defined() ? gg.to_vector<double>() : std::vector<double>(first.size()), second, ", second derivative ");
}

TEST(Functional, SecondDerivatives) {
  const TensorOptions f64{.dtype = kFloat64};
  const Tensor x = tensor({{0.3, -1.2, 0.8}, {1.5, 0.2, -0.4}, {-0.7, 0.9, 0.25}, {0.6, -0.3, 1.1}}, f64);
  const Tensor p = sigmoid(x), t = tensor({{0.2, 0.5, 0.3}, {0.1, 0.1, 0.8}, {0.6, 0.3, 0.1}, {1.0, 0.0, 0.0}}, f64);
  const Tensor labels = tensor({2, 0, -100, 1}), weight = tensor({0.5, 2.0, 1.25}, f64);
  for (Reduction r : {Reduction::None, Reduction::Mean, Reduction::Sum}) {
    const std::string name = " " + std::to_string(static_cast<int>(r));
    check_derivatives("cross_entropy" + name, x, [&](const Tensor& a) {
      return square(F::cross_entropy(a, labels, {.reduction = r}));  // squared: the slope of the loss is not constant
    });
    check_derivatives("cross_entropy, weighted and smoothed" + name, x, [&](const Tensor& a) {
      return square(F::cross_entropy(a, labels, {.weight = weight, .reduction = r, .label_smoothing = 0.1}));
    });
    check_derivatives("cross_entropy, probabilities" + name, x,
                      [&](const Tensor& a) { return square(F::cross_entropy(a, t, {.reduction = r})); });
    check_derivatives("binary_cross_entropy" + name, p,
                      [&](const Tensor& a) { return F::binary_cross_entropy(a, t, {.reduction = r}); });
    check_derivatives("binary_cross_entropy, target" + name, t, [&](const Tensor& a) {
      return square(F::binary_cross_entropy(p, a, {.weight = weight, .reduction = r}));
    });
    check_derivatives("binary_cross_entropy_with_logits" + name, x,
                      [&](const Tensor& a) { return F::binary_cross_entropy_with_logits(a, t, {.reduction = r}); });
    check_derivatives("binary_cross_entropy_with_logits, pos_weight" + name, x, [&](const Tensor& a) {
      return F::binary_cross_entropy_with_logits(a, t, {.reduction = r, .pos_weight = weight});
    });
    check_derivatives("mse_loss" + name, x,
                      [&](const Tensor& a) { return square(F::mse_loss(a, t, {.reduction = r})); });
    check_derivatives("l1_loss" + name, x, [&](const Tensor& a) { return square(F::l1_loss(t, a, {.reduction = r})); });
    check_derivatives("huber_loss" + name, x,
                      [&](const Tensor& a) { return F::huber_loss(a, t, {.reduction = r, .delta = 0.45}); });
    check_derivatives("smooth_l1_loss" + name, x,
                      [&](const Tensor& a) { return F::smooth_l1_loss(t, a, {.reduction = r, .beta = 0.45}); });
    check_derivatives("kl_div" + name, log(p),
                      [&](const Tensor& a) { return square(F::kl_div(a, t, {.reduction = r})); });
    check_derivatives("kl_div, target" + name, p,
                      [&](const Tensor& a) { return F::kl_div(log(p), a, {.reduction = r}); });
    check_derivatives("cosine_embedding_loss" + name, x, [&](const Tensor& a) {
      return F::cosine_embedding_loss(a, p, tensor({1, -1, 1, -1}), {.margin = -0.9, .reduction = r});
    });
  }
  check_derivatives("cosine_similarity", x, [&](const Tensor& a) { return F::cosine_similarity(a, p, 1); });
  check_derivatives("normalize", x, [&](const Tensor& a) { return square(F::normalize(a, 3, 0)); });
}

// --- what the traces do not hold -------------------------------------------------------------------------------------

TEST(CrossEntropy, LargeFloatAndIntegerTargets) {
  // Enough rows for several threads; each is -log(1/16).
  Tensor x = zeros({5000, 16}).requires_grad_();
  const Tensor labels = arange(5000, {.dtype = kInt32}) - 16 * (arange(5000, {.dtype = kInt32}) / 16.0).to(kInt32);
  const Tensor loss = F::cross_entropy(x, labels);
  EXPECT_FLOAT_EQ(loss.item<float>(), std::log(16.0f));
  loss.backward();
  const std::vector<float> g = x.grad().to_vector<float>();
  EXPECT_FLOAT_EQ(g[0], (1.0f / 16 - 1) / 5000);
  EXPECT_FLOAT_EQ(g[1], 1.0f / 16 / 5000);
  EXPECT_FLOAT_EQ(g[4999 * 16 + 7], (1.0f / 16 - 1) / 5000);
  EXPECT_EQ(F::cross_entropy(x.to(kBFloat16), labels).dtype(), kBFloat16);
  EXPECT_FLOAT_EQ(F::cross_entropy(x.detach().t().contiguous().t(), labels).item<float>(), std::log(16.0f));
  EXPECT_TRUE(std::isnan(F::cross_entropy(zeros({0, 3}), zeros({0}, {.dtype = kInt64})).item()));
}

TEST(CrossEntropy, ManyClasses) {
  const Tensor x = sin(arange(3 * 5000, {.dtype = kFloat64})).reshape({3, 5000});
  const Tensor labels = tensor({0, 4999, 2500});
  Tensor a = x.clone().requires_grad_(), b = x.clone().requires_grad_();
  const Tensor fused = F::cross_entropy(a, labels), composed = F::nll_loss(log_softmax(b, 1), labels);
  EXPECT_NEAR(fused.item(), composed.item(), 1e-12);
  fused.backward();
  composed.backward();
  EXPECT_TRUE(allclose(a.grad(), b.grad(), 1e-10, 1e-15));
}

TEST(CrossEntropy, Errors) {
  const Tensor x = zeros({2, 3});
  EXPECT_THROW(F::cross_entropy(x, tensor({0, 3})), IndexError);
  EXPECT_THROW(F::cross_entropy(x, tensor({-1, 0})), IndexError);
  EXPECT_THROW(F::cross_entropy(x, tensor({0, 3}), {.label_smoothing = 0.1}), IndexError);
  EXPECT_NO_THROW(F::cross_entropy(x, tensor({0, -1}), {.ignore_index = -1}));
  EXPECT_THROW(F::cross_entropy(x, tensor({0, 1, 2})), ShapeError);
  EXPECT_THROW(F::cross_entropy(x, zeros({2, 3}, {.dtype = kInt64})), ShapeError);
  EXPECT_THROW(F::cross_entropy(x, zeros({2})), DtypeError);
  EXPECT_THROW(F::cross_entropy(tensor(1.0), tensor(0)), ShapeError);
  EXPECT_THROW(F::cross_entropy(zeros({2, 0}), tensor({0, 0})), ShapeError);
  EXPECT_THROW(F::cross_entropy(x, tensor({true, false})), DtypeError);
  EXPECT_THROW(F::cross_entropy(tensor({{1, 2}}), tensor({0})), DtypeError);
  EXPECT_THROW(F::cross_entropy(x, tensor({0, 1}), {.weight = ones({2})}), ShapeError);
  EXPECT_THROW(F::cross_entropy(x, tensor({0, 1}), {.label_smoothing = 1.5}), ValueError);
  EXPECT_THROW(F::cross_entropy(x, tensor({0, 1}), {.label_smoothing = std::nan("")}), ValueError);
  EXPECT_THROW(F::cross_entropy(x, tensor({0, 1}), {.reduction = Reduction::BatchMean}), ValueError);
  try {
    F::cross_entropy(x, tensor({0, 7}));
    FAIL();
  } catch (const IndexError& e) {
    EXPECT_STREQ(e.what(), "cross_entropy: class indices must be in [0, 3) or ignore_index -100, got 7 at position 1");
  }
}

TEST(Losses, Errors) {
  const Tensor x = full({2, 3}, 0.5), y = zeros({3, 2});
  EXPECT_THROW(F::mse_loss(x, y), ShapeError);
  EXPECT_THROW(F::mse_loss(x, zeros({2, 1})), ShapeError);
  EXPECT_THROW(F::mse_loss(tensor({1, 2}), tensor({1, 2})), DtypeError);
  EXPECT_THROW(F::mse_loss(x, x, {.reduction = Reduction::BatchMean}), ValueError);
  EXPECT_THROW(F::huber_loss(x, x, {.delta = 0}), ValueError);
  EXPECT_THROW(F::smooth_l1_loss(x, x, {.beta = -1}), ValueError);
  EXPECT_THROW(F::smooth_l1_loss(x, x, {.beta = std::nan("")}), ValueError);
  EXPECT_THROW(F::binary_cross_entropy(x * 3, x), ValueError);
  EXPECT_THROW(F::binary_cross_entropy(x * std::nan(""), x), ValueError);
  EXPECT_THROW(F::binary_cross_entropy(x, y), ShapeError);
  EXPECT_THROW(F::binary_cross_entropy(x, x, {.weight = ones({4, 2, 3})}), ShapeError);
  EXPECT_THROW(F::binary_cross_entropy_with_logits(x, x, {.pos_weight = ones({2})}), ShapeError);
  EXPECT_THROW(F::binary_cross_entropy_with_logits(x, x, {.pos_weight = ones({4, 2, 3})}), ShapeError);
  EXPECT_THROW(F::cosine_embedding_loss(x, y, ones({2})), ShapeError);
  EXPECT_THROW(F::cosine_embedding_loss(x, x, ones({3})), ShapeError);
  EXPECT_THROW(F::normalize(x, 2, 1, std::nan("")), ValueError);
}

TEST(Cosine, ZeroVectorsAndBroadcasting) {
  const Tensor a = tensor({{3.0, 4.0}, {0.0, 0.0}});
  EXPECT_FLOAT_EQ(F::cosine_similarity(a, tensor({4.0, 3.0}), 1).to_vector<float>()[0], 0.96f);
  EXPECT_EQ(F::cosine_similarity(a, tensor({4.0, 3.0}), 1).to_vector<float>()[1], 0);
  EXPECT_TRUE(allclose(F::normalize(a), tensor({{0.6, 0.8}, {0.0, 0.0}})));
}

// A sample without a batch is a batch of one, to every order.
TEST(CrossEntropy, ASampleAloneHasTheSecondDerivativesOfABatchOfOne) {
  using nn::Reduction;
  namespace F = nn::functional;
  const auto second = [](const std::function<Tensor(const Tensor&)>& loss) {
    const Tensor x = tensor({0.5, -1.0, 2.0}, {.dtype = kFloat64}).requires_grad_();
    const Tensor g = autograd::grad({sum(loss(x))}, {x}, {}, {.create_graph = true})[0];
    return autograd::grad({sum(g.pow(2))}, {x})[0].to_vector<double>();
  };
  const Tensor w = tensor({0.5, 2.0, 1.0}, {.dtype = kFloat64}), shares = tensor({0.2, 0.5, 0.3}, {.dtype = kFloat64});
  for (const Reduction reduction : {Reduction::Mean, Reduction::Sum, Reduction::None}) {
    for (const double smoothing : {0.0, 0.1}) {
      for (const Tensor& weight : {Tensor(), w}) {
        for (const int target : {1, -100}) {
          if (target < 0 && reduction == Reduction::Mean) continue;  // of nothing
          const nn::CrossEntropyOptions o{.weight = weight, .reduction = reduction, .label_smoothing = smoothing};
          const nn::NllOptions n{.weight = weight, .reduction = reduction};
          EXPECT_EQ(second([&](const Tensor& x) { return F::cross_entropy(x, tensor(target), o); }),
                    second([&](const Tensor& x) { return F::cross_entropy(x.unsqueeze(0), tensor({target}), o); }));
          EXPECT_EQ(second([&](const Tensor& x) { return F::nll_loss(log_softmax(x, 0), tensor(target), n); }),
                    second([&](const Tensor& x) {
                      return F::nll_loss(log_softmax(x, 0).unsqueeze(0), tensor({target}), n);
                    }));
        }
        const nn::CrossEntropyOptions o{.weight = weight, .reduction = reduction, .label_smoothing = smoothing};
        EXPECT_EQ(second([&](const Tensor& x) { return F::cross_entropy(x, shares, o); }),
                  second([&](const Tensor& x) { return F::cross_entropy(x.unsqueeze(0), shares.unsqueeze(0), o); }));
      }
    }
  }
}

// Over many classes the probabilities are not kept; the formula of operations keeps them.
TEST(Loss, CrossEntropyOverManyClasses) {
  constexpr std::int64_t rows = 5, classes = 3000;
  const Tensor labels = tensor({7, 2999, -100, 0, 1500});
  for (const Dtype dtype : {kFloat32, kFloat64}) {
    const Tensor x = (randn({rows, classes}) * 8).to(dtype).requires_grad_();
    const double tolerance = dtype == kFloat32 ? 1e-6 : 1e-14;
    for (const Reduction r : {Reduction::Mean, Reduction::Sum}) {
      const Tensor fused = F::cross_entropy(x, labels, {.reduction = r});
      const Tensor composed = F::nll_loss(log_softmax(x, 1), labels, {.reduction = r});
      EXPECT_NEAR(fused.item(), composed.item(), 10 * tolerance * composed.item());
      const Tensor wanted = autograd::grad({composed}, {x})[0];
      const Tensor gradient = autograd::grad({fused}, {x}, {}, {.retain_graph = true})[0];
      EXPECT_LT((gradient - wanted).abs().max().item(), tolerance * 5);
      EXPECT_EQ(gradient[2].abs().max().item(), 0);  // ignored
      // From here on the graph of the gradient.
      const Tensor first = autograd::grad({fused}, {x}, {}, {.create_graph = true})[0];
      const Tensor again = autograd::grad({F::nll_loss(log_softmax(x, 1), labels, {.reduction = r})}, {x}, {},
                                          {.create_graph = true})[0];
      const Tensor weights = randn({rows, classes}).to(dtype);
      const Tensor second = autograd::grad({sum(first * weights)}, {x})[0];
      EXPECT_LT((second - autograd::grad({sum(again * weights)}, {x})[0]).abs().max().item(), tolerance * 50);
    }
  }
  const Tensor x = randn({400, classes}).requires_grad_(), index = zeros({400}, {.dtype = kInt64});
  const auto before = memory_stats().current_bytes;
  const Tensor loss = F::cross_entropy(x, index);
  EXPECT_LT(memory_stats().current_bytes - before, 400 * classes * 4 / 10);
  loss.backward();
  EXPECT_TRUE(x.grad().defined());
}

TEST(Reduction, ByName) {
  const Tensor x = randn({3, 4}), y = randn({3, 4});
  EXPECT_TRUE(equal(F::mse_loss(x, y, {.reduction = "sum"}), F::mse_loss(x, y, {.reduction = nn::Reduction::Sum})));
  EXPECT_TRUE(equal(F::mse_loss(x, y, {.reduction = "none"}), (x - y) * (x - y)));
  EXPECT_TRUE(equal(F::mse_loss(x, y, {.reduction = "mean"}), F::mse_loss(x, y)));
  EXPECT_EQ(nn::Reduction("batchmean"), nn::Reduction::BatchMean);
  EXPECT_THROW(F::mse_loss(x, y, {.reduction = "avg"}), ValueError);
}

}  // namespace
}  // namespace gradus
