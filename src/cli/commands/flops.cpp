#include "cli/commands/flops.h"

#include <fmt/format.h>
#include <gradus/nn/freeze.h>
#include <gradus/nn/summary.h>
#include <nlohmann/json.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <memory>

#include "text/table.h"

namespace gradus::cli {

using nlohmann::ordered_json;

namespace {

struct FlopsOptions {
  std::string model, input;
  std::vector<std::string> set, freeze;
  std::int64_t batch = 1;
  int depth = -1;
  bool train = false, forward_only = false, json = false;
};

// The whole text as a number.
template <class T>
bool parse_number(const std::string& text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

std::string to_text(const models::Value& value) {
  if (const bool* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  return fmt::format("{}", std::get<double>(value));
}

std::string sizes_text(const Shape& sizes) { return fmt::format("{}", fmt::join(sizes.begin(), sizes.end(), "x")); }

void print_models() {
  Table table({{"model"}, {"input"}, {"options"}, {"what it is"}});
  for (const models::ModelInfo& model : models::list()) {
    std::string options;
    for (const models::OptionInfo& option : model.options)
      options += (options.empty() ? "" : " ") + option.name + "=" + to_text(option.value);
    table.add({model.name, sizes_text(model.input), options, model.about});
  }
  fmt::print("{}", table.to_string());
}

ordered_json to_json(const FlopCounter::Count& count) {
  return {{"multiply_adds", count.multiply_adds},
          {"flops", count.flops},
          {"bytes", count.bytes},
          {"operations", count.calls}};
}

ordered_json to_json(const nn::LayerSummary& layer) {
  ordered_json json{{"path", layer.path}, {"type", layer.type}};
  if (layer.output) json["output"] = std::vector<std::int64_t>(layer.output->begin(), layer.output->end());
  json["calls"] = layer.calls;
  json["parameters"] = layer.parameters;
  json["trainable"] = layer.trainable;
  json["forward"] = to_json(layer.forward);
  json["backward"] = to_json(layer.backward);
  json["saved_bytes"] = layer.saved_bytes;
  return json;
}

int run_flops(const FlopsOptions& options) {
  if (options.model.empty()) {
    print_models();
    return 0;
  }
  const models::ModelInfo& info = models::info(options.model);
  const auto net = models::make(options.model, parse_model_options("--set", options.model, options.set));
  for (const std::string& pattern : options.freeze) nn::freeze(*net, pattern);
  Shape input{options.batch};
  for (const std::int64_t size : options.input.empty() ? info.input : parse_sizes("--input", options.input))
    input.push_back(size);
  const nn::Summary summary = nn::summary(*net, input, {.train = options.train, .backward = !options.forward_only});
  if (!options.json) {
    fmt::print("{} on {}\n\n{}", options.model, to_string(input),
               summary.to_string(options.depth < 0 ? std::optional<int>() : options.depth));
    return 0;
  }
  ordered_json layers = ordered_json::array();
  for (const nn::LayerSummary& layer : summary.layers) layers.push_back(to_json(layer));
  const ordered_json json{{"model", options.model},
                          {"input", std::vector<std::int64_t>(input.begin(), input.end())},
                          {"parameter_bytes", summary.parameter_bytes},
                          {"gradient_bytes", summary.gradient_bytes},
                          {"buffer_bytes", summary.buffer_bytes},
                          {"layers", layers}};
  fmt::print("{}\n", json.dump(2));
  return 0;
}

}  // namespace

Shape parse_sizes(const std::string& option, const std::string& text) {
  Shape sizes;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('x', at), text.size());
    std::int64_t size = 0;
    if (!parse_number(text.substr(at, end - at), size) || size < 1 || sizes.rank() == kMaxRank)
      throw ValueError(option + ": need positive sizes, as in 3x224x224, got '" + text + "'");
    sizes.push_back(size);
    at = end + 1;
  }
  return sizes;
}

models::Options parse_model_options(const std::string& option, const std::string& model,
                                    const std::vector<std::string>& texts) {
  const models::ModelInfo& info = models::info(model);
  models::Options options;
  for (const std::string& text : texts) {
    const std::size_t sign = text.find('=');
    if (sign == text.npos || sign == 0)
      throw ValueError(option + ": need NAME=VALUE, as in num_classes=10, got '" + text + "'");
    const std::string name = text.substr(0, sign), value = text.substr(sign + 1);
    const auto known =
        std::find_if(info.options.begin(), info.options.end(), [&](const auto& o) { return o.name == name; });
    if (known == info.options.end()) {
      options[name] = value;  // models::make says which there are
      continue;
    }
    models::Value parsed = known->value;
    bool good = true;
    if (bool* truth = std::get_if<bool>(&parsed)) {
      *truth = value == "true";
      good = value == "true" || value == "false";
    } else if (auto* whole = std::get_if<std::int64_t>(&parsed)) {
      good = parse_number(value, *whole);
    } else if (auto* real = std::get_if<double>(&parsed)) {
      good = parse_number(value, *real);
    } else {
      parsed = value;
    }
    if (!good)
      throw ValueError(
          fmt::format("{}: {} needs a value like {}, got '{}'", option, name, to_text(known->value), value));
    options[name] = parsed;
  }
  return options;
}

void add_flops(CLI::App& app, int& status) {
  CLI::App& flops = *app.add_subcommand(
      "flops",
      "Show what a network consists of and what it costs; without a model, list the networks. For each layer: output "
      "size, parameters, multiply-adds, FLOPs forward and backward, bytes");
  const auto o = std::make_shared<FlopsOptions>();
  flops.add_option("MODEL", o->model, "The network's name");
  flops.add_option("--input", o->input,
                   "Size of one sample, such as 3x224x224; by default the usual one of the network");
  flops.add_option("--batch", o->batch, "Number of samples")->check(CLI::Range(1, 1 << 20))->capture_default_str();
  flops.add_option("--set", o->set, "An option of the network, such as num_classes=10; may be repeated")
      ->allow_extra_args(false);
  flops.add_option("--freeze", o->freeze, "Parts to freeze, such as 'features.*'; may be repeated")
      ->allow_extra_args(false);
  flops.add_option("--depth", o->depth, "How many levels of nested modules to show; 0: only the network")
      ->check(CLI::NonNegativeNumber);
  flops.add_flag("--train", o->train, "Count in training mode: batch statistics and dropout");
  flops.add_flag("--forward-only", o->forward_only, "Leave out the backward pass");
  flops.add_flag("--json", o->json, "Print JSON");
  flops.callback([o, &status] { status = run_flops(*o); });
}

}  // namespace gradus::cli
