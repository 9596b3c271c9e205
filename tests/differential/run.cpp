#include <cmath>

#include <gradus/autograd.h>
#include <gradus/ops.h>

#include "differential/differential.h"
#include "optim/all_optimizers.h"
#include "optim/schedule/schedules.h"

namespace gradus::differential {

namespace {

// weights() of programs.py.
Tensor weights(const Tensor& like) {
  std::vector<double> values(static_cast<std::size_t>(like.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = (static_cast<double>((i * 7 + 3) % 11) - 5) / 4 + 0.125;
  }
  return tensor(values, like.sizes(), {.dtype = kFloat64}).to(like.dtype());
}

std::vector<Tensor> weights(const std::vector<Tensor>& all) {
  std::vector<Tensor> each;
  for (const Tensor& x : all) each.push_back(weights(x));
  return each;
}

// test[key] holds what PyTorch has for each of `got`.
std::optional<std::string> differences(const char* what, const std::vector<Tensor>& got, const json& test,
                                       const char* key) {
  const json exact = test.contains("exact") ? test["exact"].value(key, json()) : json();
  for (std::size_t i = 0; i < got.size(); ++i) {
    const std::string name = std::string(what) + " " + std::to_string(i);
    if (auto found = difference(name, got[i], test[key][i], exact.is_null() ? exact : exact[i])) return found;
  }
  return {};
}

std::vector<Tensor> those_with_grad(const std::vector<Tensor>& all) {
  std::vector<Tensor> some;
  for (const Tensor& x : all)
    if (x.defined() && x.requires_grad()) some.push_back(x);
  return some;
}

}  // namespace

std::optional<std::string> run_program(const json& test) {
  std::vector<Tensor> leaves, all, owners, outs;
  for (const json& leaf : test["leaves"]) {
    leaves.push_back(unpacked(leaf));
    if (leaf["grad"]) owners.push_back(leaves.back().requires_grad_());
  }
  for (const json& step : test["steps"]) {
    if (step["op"] == "leaf") {
      all.push_back(leaves[step["k"]["leaf"].get<std::size_t>()]);
      continue;
    }
    std::vector<Tensor> in;
    for (const json& i : step["in"]) in.push_back(all[i.get<std::size_t>()]);
    all.push_back(operation(step["op"], in, step["k"], all));
  }
  for (const json& i : test["outs"]) outs.push_back(all[i.get<std::size_t>()]);
  if (auto found = differences("result", outs, test, "want")) return found;
  const std::vector<Tensor> tops = those_with_grad(outs);
  if (!test.contains("grads")) {
    return tops.empty() || owners.empty() ? std::nullopt : std::optional<std::string>("only here it has a gradient");
  }
  if (tops.empty()) return "it has no gradient";
  const bool second = test["second"];
  const auto grads = autograd::grad(tops, owners, weights(tops), {.create_graph = second, .allow_unused = true});
  if (auto found = differences("gradient", grads, test, "grads")) return found;
  if (!test.contains("second_grads")) return {};
  const std::vector<Tensor> firsts = those_with_grad(grads);
  std::vector<Tensor> seconds(owners.size());
  if (!firsts.empty()) seconds = autograd::grad(firsts, owners, weights(firsts), {.allow_unused = true});
  return differences("second gradient", seconds, test, "second_grads");
}

std::optional<std::string> run_optimizer(const json& test) {
  std::vector<Tensor> params;
  for (const json& p : test["params"]) params.push_back(unpacked(p).requires_grad_());
  const auto opt = test::optimizer_kind(test["optimizer"]).make({{params}});
  test::set_options(*opt, 0, test::options_of(test["options"]));
  for (const json& grads : test["grads"]) {
    for (std::size_t i = 0; i < params.size(); ++i) {
      params[i].set_grad(grads[i].is_null() ? Tensor() : unpacked(grads[i]));
    }
    opt->step();
  }
  return differences("parameter", params, test, "want");
}

std::optional<std::string> run_schedule(const json& test) {
  const auto opt = test::make_scheduled("SGD");
  auto scheduler =
      std::get<optim::lr_scheduler::LRScheduler>(test::make_scheduler(test["schedule"], test["options"], *opt));
  for (std::size_t i = 0; i < test["steps"].size(); ++i) {
    test["steps"][i].is_null() ? scheduler.step() : scheduler.step(test["steps"][i].get<double>());
    for (std::size_t g = 0; g < 2; ++g) {
      const double got = scheduler.get_last_lr()[g], want = test["want"][i][g];
      if (std::abs(got - want) <= 1e-9) continue;
      return "step " + std::to_string(i) + ": " + std::to_string(got) + ", PyTorch " + std::to_string(want);
    }
  }
  return {};
}

}  // namespace gradus::differential
