// A 3-layer network's losses against PyTorch's, for every combination of options.
#include <gradus/nn/containers.h>
#include <gradus/nn/functional.h>
#include <gradus/nn/layers/activation.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/optim/adam.h>
#include <gradus/optim/sgd.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/paths.h"

namespace gradus {
namespace {

using nlohmann::json;

Tensor to_tensor(const json& j) {
  return tensor(j["data"].get<std::vector<double>>(), Shape(j["shape"].get<std::vector<std::int64_t>>()),
                {.dtype = kFloat64});
}

optim::OptionValue to_option(const json& j) {
  if (j.is_boolean()) return j.get<bool>();
  if (j.is_array()) return std::pair(j[0].get<double>(), j[1].get<double>());
  return j.get<double>();
}

std::unique_ptr<optim::Optimizer> make(const std::string& name, const optim::Params& params) {
  if (name == "SGD") return std::make_unique<optim::SGD>(params);
  if (name == "Adam") return std::make_unique<optim::Adam>(params);
  if (name == "AdamW") return std::make_unique<optim::AdamW>(params);
  throw ValueError("no optimizer " + name);
}

TEST(OptimizerTraces, LossesOfAThreeLayerNetwork) {
  std::ifstream file(test::source_path("tests/traces/optim_core.json"));
  const json trace = json::parse(file);
  std::vector<std::pair<Tensor, Tensor>> batches;
  for (const json& batch : trace["batches"]) {
    const auto target = batch["target"].is_object() ? batch["target"]["data"].get<std::vector<std::int64_t>>()
                                                    : batch["target"].get<std::vector<std::int64_t>>();
    batches.emplace_back(to_tensor(batch["input"]), tensor(target));
  }
  nn::StateDict start;
  for (const auto& [name, value] : trace["parameters"].items()) start.set(name, to_tensor(value));

  std::size_t compared = 0;
  for (const json& recorded : trace["cases"]) {
    SCOPED_TRACE(recorded["optimizer"].get<std::string>() + " " + recorded["options"].dump());
    const nn::LinearOptions wide{.dtype = kFloat64};
    nn::Sequential net(nn::Linear(6, 10, wide), nn::Tanh(), nn::Linear(10, 8, wide), nn::LeakyReLU(0.01),
                       nn::Linear(8, 3, wide));
    net.load_state_dict(start);
    const auto opt = make(recorded["optimizer"], net.named_parameters());
    // Momentum first: nesterov is refused without it.
    for (const char* first : {"momentum", "dampening"})
      if (recorded["options"].contains(first)) opt->set_option(0, first, to_option(recorded["options"][first]));
    for (const auto& [option, value] : recorded["options"].items()) opt->set_option(0, option, to_option(value));
    const bool maximize = recorded["options"]["maximize"];
    for (std::size_t step = 0; step < recorded["losses"].size(); ++step) {
      const auto& [input, target] = batches[step % batches.size()];
      opt->zero_grad();
      const Tensor loss = nn::functional::cross_entropy(net(input), target);
      const double expected = recorded["losses"][step];
      ASSERT_NEAR(loss.item(), expected, 1e-9 * std::abs(expected)) << "step " << step;
      (maximize ? -loss : loss).backward();
      opt->step();
      ++compared;
    }
  }
  EXPECT_EQ(compared, trace["cases"].size() * 100);
  EXPECT_GE(trace["cases"].size(), 80u);
}

}  // namespace
}  // namespace gradus
