// The optimizers that PyTorch lacks, against scalar loops written from the papers, over 1,001 steps.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "optim/all_optimizers.h"
#include "optim/problem.h"

namespace gradus {
namespace {

using test::OptionMap;

// One element with its state, whatever the rule keeps there.
struct Element {
  double p;
  int step = 0;
  double a = 0, b = 0, c = 0, d = 0;
};
using ScalarRule = void (*)(Element& e, double g, const OptionMap& o);

double number(const OptionMap& o, const std::string& name) { return std::get<double>(o.at(name)); }
bool flag(const OptionMap& o, const std::string& name) { return std::get<bool>(o.at(name)); }
double count(const OptionMap& o, const std::string& name) {
  const auto* n = std::get_if<std::int64_t>(&o.at(name));
  return n ? static_cast<double>(*n) : 0;
}

// All options of a group, defaults included.
OptionMap all_options(const optim::Optimizer& opt, std::size_t group) {
  OptionMap all;
  for (const std::string& name : opt.option_names()) all[name] = opt.option(group, name);
  return all;
}

// Runs the optimizer and the rule beside each other. `seen` is what the rule's parameter is compared with.
void compare(const std::string& name, const OptionMap& options, OptionMap other, ScalarRule rule,
             const std::string& layout = "parameters") {
  std::string text = name;
  for (const auto& [option, value] : options) text += " " + option + "=" + optim::to_string(value);
  SCOPED_TRACE(text);
  const test::Problem problem(test::family_trace(), layout);
  std::vector<Tensor> tensors = problem.tensors();
  const auto opt = test::optimizer_kind(name).make(problem.groups(tensors));
  test::set_options(*opt, 0, options);
  OptionMap second = options;
  for (const auto& [option, value] : other) second[option] = value;
  test::set_options(*opt, 1, second);
  const std::vector<OptionMap> resolved{all_options(*opt, 0), all_options(*opt, 1)};
  const bool maximize = resolved[0].count("maximize") && flag(resolved[0], "maximize");

  std::vector<std::vector<Element>> elements;
  for (const auto& parameter : problem.parameters) {
    elements.emplace_back();
    for (double start : parameter.start) elements.back().push_back({start});
  }
  for (int t = 0; t <= 1000; ++t) {
    problem.set_gradients(tensors, t, maximize);
    opt->step();
    for (std::size_t k = 0; k < elements.size(); ++k) {
      if (!problem.has_gradient(k, t)) continue;
      for (std::size_t i = 0; i < elements[k].size(); ++i) {
        Element& e = elements[k][i];
        const double g = problem.gradient(k, i, t, e.p);
        ++e.step;
        rule(e, maximize ? -g : g, resolved[problem.parameters[k].group]);
      }
    }
    if (t % 100 != 0) continue;
    for (std::size_t k = 0; k < elements.size(); ++k)
      for (std::size_t i = 0; i < elements[k].size(); ++i)
        ASSERT_NEAR(tensors[k].data_ptr<double>()[i], elements[k][i].p, 1e-9 * std::abs(elements[k][i].p))
            << "step " << t << ", " << problem.parameters[k].name << "[" << i << "]";
  }
}

// Chen et al., 2023, Algorithm 2.
void lion(Element& e, double g, const OptionMap& o) {
  const auto [b1, b2] = std::get<std::pair<double, double>>(o.at("betas"));
  if (flag(o, "maximize")) g = -g;
  const double c = b1 * e.a + (1 - b1) * g;
  const double update = (c > 0) - (c < 0);
  e.p = e.p - number(o, "lr") * (update + number(o, "weight_decay") * e.p);
  e.a = b2 * e.a + (1 - b2) * g;
}

TEST(OptimizerReference, Lion) {
  for (bool maximize : {false, true})
    for (double decay : {0.0, 0.1})
      for (auto betas : {std::pair(0.9, 0.99), std::pair(0.8, 0.95)})
        compare("Lion", {{"lr", 0.01}, {"maximize", maximize}, {"weight_decay", decay}, {"betas", betas}},
                {{"lr", 0.003}, {"weight_decay", decay == 0 ? 0.02 : 0.0}}, lion);
}

// Pagliardini et al., 2024, Algorithm 1, with the warm-ups of their equations for alpha(t) and beta3(t).
void ademamix(Element& e, double g, const OptionMap& o) {
  const auto betas = std::get<optim::NumberTuple>(o.at("betas"));
  const double b1 = *betas[0], b2 = *betas[1], t = e.step;
  double b3 = *betas[2], alpha = number(o, "alpha");
  if (const double warmup = count(o, "alpha_warmup"); t < warmup) alpha = alpha * t / warmup;
  if (const double warmup = count(o, "beta3_warmup"); t < warmup) {
    // beta with f(beta) = log(0.5) / log(beta) - 1 between those of b1 and b3.
    const double from = std::log(0.5) / std::log(b1 + 1e-8) - 1, to = std::log(0.5) / std::log(b3 + 1e-8) - 1;
    b3 = std::pow(0.5, 1 / ((1 - t / warmup) * from + t / warmup * to + 1));
  }
  if (flag(o, "maximize")) g = -g;
  e.a = b1 * e.a + (1 - b1) * g;
  e.b = b3 * e.b + (1 - b3) * g;
  e.c = b2 * e.c + (1 - b2) * g * g;
  const double fast = e.a / (1 - std::pow(b1, t)), squares = e.c / (1 - std::pow(b2, t));
  e.p -= number(o, "lr") *
         ((fast + alpha * e.b) / (std::sqrt(squares) + number(o, "eps")) + number(o, "weight_decay") * e.p);
}

TEST(OptimizerReference, AdEMAMix) {
  const optim::OptionValue none;
  for (bool maximize : {false, true})
    for (double decay : {0.0, 0.1})
      for (const auto& alpha_warmup : {none, optim::OptionValue(std::int64_t{200})})
        for (const auto& beta3_warmup : {none, optim::OptionValue(std::int64_t{300})})
          compare("AdEMAMix",
                  {{"lr", 0.01},
                   {"maximize", maximize},
                   {"weight_decay", decay},
                   {"alpha_warmup", alpha_warmup},
                   {"beta3_warmup", beta3_warmup}},
                  {{"lr", 0.003}, {"weight_decay", decay == 0 ? 0.02 : 0.0}}, ademamix);
  compare("AdEMAMix", {{"lr", 0.01}, {"betas", optim::NumberTuple{0.8, 0.95, 0.99}}, {"alpha", 5.0}, {"eps", 1e-3}},
          {{"betas", optim::NumberTuple{0.0, 0.9, 0.999}}}, ademamix);
}

// Defazio et al., 2024: a = z, b = x, the parameter is y; c = v, d = the sum of weights.
void average(Element& e, double rate, double beta, const OptionMap& o) {
  const double weight = std::pow(e.step, number(o, "r")) * std::pow(rate, number(o, "weight_lr_power"));
  e.d += weight;
  e.b = (1 - weight / e.d) * e.b + weight / e.d * e.a;
  e.p = (1 - beta) * e.a + beta * e.b;
}
double warm_rate(const Element& e, const OptionMap& o) {
  const double warmup = count(o, "warmup_steps");
  return number(o, "lr") * (e.step < warmup ? e.step / warmup : 1);
}
void sgd_schedule_free(Element& e, double g, const OptionMap& o) {
  if (e.step == 1) e.a = e.b = e.p;
  if (flag(o, "maximize")) g = -g;
  const double rate = warm_rate(e, o);
  e.a -= rate * (g + number(o, "weight_decay") * e.p);
  average(e, rate, number(o, "momentum"), o);
}
void adamw_schedule_free(Element& e, double g, const OptionMap& o) {
  if (e.step == 1) e.a = e.b = e.p;
  if (flag(o, "maximize")) g = -g;
  const auto [b1, b2] = std::get<std::pair<double, double>>(o.at("betas"));
  const double rate = warm_rate(e, o) * std::sqrt(1 - std::pow(b2, e.step));
  e.c = b2 * e.c + (1 - b2) * g * g;
  e.a -= rate * (g / (std::sqrt(e.c) + number(o, "eps")) + number(o, "weight_decay") * e.p);
  average(e, rate, b1, o);
}

TEST(OptimizerReference, ScheduleFree) {
  for (bool maximize : {false, true})
    for (double decay : {0.0, 0.1})
      for (std::int64_t warmup : {0, 200})
        for (double r : {0.0, 0.5})
          for (double power : {0.0, 2.0}) {
            const OptionMap options{{"maximize", maximize},
                                    {"weight_decay", decay},
                                    {"warmup_steps", warmup},
                                    {"r", r},
                                    {"weight_lr_power", power}};
            const OptionMap other{{"weight_decay", decay == 0 ? 0.02 : 0.0}};
            OptionMap sgd = options, adam = options;
            sgd["lr"] = 0.1;
            adam["lr"] = 0.01;
            compare("SGDScheduleFree", sgd, other, sgd_schedule_free);
            compare("AdamWScheduleFree", adam, other, adamw_schedule_free);
          }
  for (double momentum : {0.0, 0.5, 1.0}) {
    compare("SGDScheduleFree", {{"lr", 0.1}, {"momentum", momentum}}, {{"lr", 0.02}}, sgd_schedule_free);
    compare("AdamWScheduleFree", {{"lr", 0.01}, {"betas", std::pair(momentum, 0.95)}, {"eps", 1e-3}}, {{"lr", 0.02}},
            adamw_schedule_free);
  }
}

// AdamW: what Muon does to parameters that are no matrices, and to all where the group asks for it.
void muon_fallback(Element& e, double g, const OptionMap& o) {
  const auto [b1, b2] = std::get<std::pair<double, double>>(o.at("fallback_betas"));
  const double lr = number(o, "fallback_lr");
  e.p -= lr * number(o, "fallback_weight_decay") * e.p;
  e.a = b1 * e.a + (1 - b1) * g;
  e.b = b2 * e.b + (1 - b2) * g * g;
  e.p -=
      lr * e.a / (1 - std::pow(b1, e.step)) / (std::sqrt(e.b / (1 - std::pow(b2, e.step))) + number(o, "fallback_eps"));
}

TEST(OptimizerReference, MuonFallback) {
  for (double decay : {0.0, 0.1})
    for (auto betas : {std::pair(0.9, 0.95), std::pair(0.8, 0.99)})
      for (double eps : {1e-10, 1e-3})
        compare("Muon",
                {{"fallback", std::string("all")},
                 {"fallback_lr", 0.01},
                 {"fallback_weight_decay", decay},
                 {"fallback_betas", betas},
                 {"fallback_eps", eps}},
                {{"fallback_lr", 0.003}, {"fallback_weight_decay", decay == 0 ? 0.02 : 0.0}}, muon_fallback);
}

// With gradients that do not change, the centred square is a difference of equals.
TEST(OptimizerReference, CentredRMSpropStaysFinite) {
  const Tensor g = tensor({5.9, 3.14, 1.57, 1e-30, 1e-20, 1e19, 1e30, 0.0, -7.7});
  for (const double momentum : {0.0, 0.9}) {
    Tensor p = zeros({g.numel()}).requires_grad_();
    optim::RMSprop opt({p}, {.lr = 1e-3, .momentum = momentum, .centered = true});
    p.set_grad(g);
    double largest = 0;
    for (int i = 0; i < 3000; ++i) {
      const Tensor before = p.detach().clone();
      opt.step();
      largest = std::max(largest, max(abs(p.detach() - before)).item());
    }
    EXPECT_TRUE(isfinite(p).all().item<bool>()) << p;
    EXPECT_LT(largest, momentum > 0 ? 40 : 4);  // lr / sqrt(epsilon), not lr g / eps
  }
}

}  // namespace
}  // namespace gradus
