#include "training/prefix_file.h"

#include <gradus/autograd.h>
#include <gradus/io/safetensors.h>
#include <gradus/nn/parametrize.h>

#include <map>

#include "nn/adapters/adapter.h"

namespace gradus::training {

using nn::detail::KeptModule;
using nn::detail::PrefixAdapter;

namespace {

constexpr const char* kTensor = "prompt_embeddings";

// The layers that take prefixes, in order.
std::vector<std::pair<std::string, nn::Module*>> attention_of(const nn::Module& net) {
  std::vector<std::pair<std::string, nn::Module*>> all;
  for (const auto& [path, module] : const_cast<nn::Module&>(net).named_modules())
    if (dynamic_cast<nn::TakesPrefix*>(module) != nullptr) all.emplace_back(path, module);
  return all;
}

nn::TakesPrefix::Heads heads_of(const nn::Module* layer) {
  return dynamic_cast<const nn::TakesPrefix&>(*layer).prefix_heads();
}

}  // namespace

std::pair<io::Value, nlohmann::ordered_json> prefix_to_file(const nn::Module& net, const std::string& name) {
  const auto layers = attention_of(net);
  std::vector<Tensor> pieces;
  for (const auto& [path, module] : layers) {
    const auto* adapters = nn::detail::adapters_of(*module);
    const auto* prefix = dynamic_cast<PrefixAdapter*>(adapters == nullptr ? nullptr : adapters->find(name));
    if (prefix == nullptr)
      throw ValueError("save_adapter: '" + path + "' has no prefix '" + name +
                       "', and PEFT's files have one for each layer");
    for (const Tensor& own : {prefix->key, prefix->value}) {
      if (!pieces.empty() && !(own.sizes() == pieces[0].sizes()))
        throw ValueError("save_adapter: the prefixes of PEFT's files have one size, got " +
                         gradus::to_string(pieces[0].sizes()) + " and " + gradus::to_string(own.sizes()) + " of '" +
                         path + "'");
      pieces.push_back(own.detach());
    }
  }
  const auto heads = heads_of(layers[0].second);
  io::Value tensors = io::Value::dict();
  tensors.set(kTensor, cat(pieces, 1));
  const std::int64_t width = heads.count * heads.size;
  nlohmann::ordered_json config{{"peft_type", "PREFIX_TUNING"}, {"task_type", "CAUSAL_LM"}, {"auto_mapping", nullptr}};
  config["base_model_name_or_path"] = nullptr;
  config["revision"] = nullptr;
  config["inference_mode"] = true;
  config["num_virtual_tokens"] = pieces[0].size(0);
  config["token_dim"] = width;
  config["num_transformer_submodules"] = 1;
  config["num_attention_heads"] = heads.count;
  config["num_layers"] = layers.size();
  config["encoder_hidden_size"] = width;
  config["prefix_projection"] = false;
  return {tensors, config};
}

std::vector<std::string> prefix_from_file(nn::Module& net, const AdapterConfig& config, const std::string& file,
                                          const std::string& name) {
  const auto layers = attention_of(net);
  if (layers.empty()) config.refuse("peft_type", "another one for a " + net.type_name() + ", which takes no prefixes");
  if (config.number("num_transformer_submodules", 1, 1, 2) != 1)
    config.refuse("num_transformer_submodules", "1: models of two parts are not supported");
  const io::Safetensors read = io::load_safetensors(file);
  for (const auto& [key, value] : read.tensors.entries())
    if (key.to_string() != kTensor)
      throw IoError(file + ": '" + key.to_string() + "' is not a tensor of PREFIX_TUNING");
  if (read.tensors.size() == 0) throw IoError(file + ": holds no adapter");
  const Tensor all = read.tensors.as_tensor({kTensor});
  std::int64_t width = 0;
  for (const auto& [path, module] : layers) width += 2 * heads_of(module).count * heads_of(module).size;
  if (!all.is_floating_point() || all.dim() != 2 || all.numel() == 0 || all.size(1) != width)
    throw IoError(file + ": '" + kTensor + "' is " + to_string(all.dtype()) + " " + gradus::to_string(all.sizes()) +
                  ", which should be floating-point [num_virtual_tokens, " + std::to_string(width) + "] for " +
                  net.type_name());
  const auto count = static_cast<double>(all.size(0));
  if (config.number("num_virtual_tokens", count, 1, 1e9) != count)
    config.refuse("num_virtual_tokens", std::to_string(all.size(0)) + ", as the tensors have it");
  std::map<std::string, std::shared_ptr<nn::Module>> adapters;
  const NoGrad guard;
  std::int64_t at = 0;
  for (const auto& [path, module] : layers) {
    PrefixAdapter adapter(*module, {.tokens = all.size(0), .name = name});
    for (Tensor own : {adapter.key, adapter.value}) {
      own.copy_(narrow(all, 1, at, own.size(1)));
      at += own.size(1);
    }
    adapters[path] = KeptModule::of(adapter);
  }
  return nn::detail::attach(
      "load_adapter", net, "*", name,
      [&](const std::string& path, const nn::Module&) { return adapters.contains(path); },
      [&](const std::string& path, nn::Module&) { return adapters.at(path); });
}

}  // namespace gradus::training
