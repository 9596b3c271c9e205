#include <gradus/autograd.h>
#include <gradus/io/safetensors.h>
#include <gradus/training/adapter_files.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "io/file/atomic_file.h"
#include "nn/adapters/adapter.h"
#include "nn/parametrize/computed.h"
#include "training/adapter_config.h"
#include "training/prefix_file.h"

namespace gradus::training {

namespace {

using nlohmann::ordered_json;
using nn::detail::Adapter;
using nn::detail::BottleneckAdapter;
using nn::detail::CopyAdapter;
using nn::detail::Ia3Adapter;
using nn::detail::LayerKind;
using nn::detail::LoraAdapter;
using nn::detail::PrefixAdapter;

constexpr const char* kConfig = "adapter_config.json";
constexpr const char* kTensors = "adapter_model.safetensors";
constexpr const char* kPrefix = "base_model.model.";
constexpr std::int64_t kLargestRank = 1 << 20;

// An adapter's parameters by PEFT's names, which are those of modules where LoRA has some.
std::string in_file(const std::string& own) { return own == "lora_A" || own == "lora_B" ? own + ".weight" : own; }

// PEFT puts the projection of adapted attention a step deeper.
std::string path_in_file(const std::string& path, const std::map<std::string, Adapter*>& all) {
  if (!ends_in(path, "out_proj") || path == "out_proj") return path;
  const std::string parent = path.substr(0, path.size() - std::string(".out_proj").size());
  return all.contains(parent) ? parent + ".base_layer.out_proj" : path;
}

std::string without_base_layer(std::string path) {
  for (std::size_t at; (at = path.find(".base_layer.")) != std::string::npos;)
    path.erase(at, std::string(".base_layer").size());
  return path;
}

// A layer's path as a pattern of PEFT's, which would match the end of other paths, too.
std::string exactly(const std::string& path) {
  std::string pattern = "^";
  for (const char c : path) pattern += c == '.' ? std::string("\\.") : std::string(1, c);
  return pattern;
}

template <class Value, class Get>
ordered_json pattern_of(const std::map<std::string, Adapter*>& all, Value usual, Get get) {
  ordered_json result = ordered_json::object();
  for (const auto& [path, adapter] : all)
    if (const auto own = get(static_cast<const LoraAdapter&>(*adapter).options()); own != usual)
      result[exactly(path)] = own;
  return result;
}

// The layers whose inputs are scaled: by name, or by a pattern where a name is also the end of another layer's.
ordered_json feedforward_of(const std::map<std::string, Adapter*>& all) {
  ordered_json names = ordered_json::array();
  std::string pattern;
  bool plain = true;
  for (const auto& [path, adapter] : all) {
    if (!static_cast<const Ia3Adapter&>(*adapter).feedforward()) continue;
    names.push_back(path);
    pattern += (pattern.empty() ? "(" : "|(") + exactly(path) + ")";
    for (const auto& [other, own] : all)
      plain = plain && (static_cast<const Ia3Adapter&>(*own).feedforward() || !other.ends_with(path));
  }
  return plain ? names : ordered_json(pattern);
}

ordered_json config_of(const std::map<std::string, Adapter*>& all, const std::string& base_model, bool transposed) {
  const Adapter& first = *all.begin()->second;
  ordered_json config{{"peft_type", first.method()}, {"task_type", nullptr}, {"auto_mapping", nullptr}};
  config["base_model_name_or_path"] = base_model.empty() ? ordered_json() : ordered_json(base_model);
  config["revision"] = nullptr;
  config["inference_mode"] = true;
  config["modules_to_save"] = nullptr;
  config["target_modules"] = ordered_json::array();
  for (const auto& [path, adapter] : all)
    if (path_in_file(path, all) == path) config["target_modules"].push_back(path);
  config["fan_in_fan_out"] = transposed;
  if (const auto* lora = dynamic_cast<const LoraAdapter*>(&first)) {
    const nn::LoraOptions& o = lora->options();
    config["r"] = o.rank;
    config["lora_alpha"] =
        o.alpha == std::floor(o.alpha) ? ordered_json(static_cast<std::int64_t>(o.alpha)) : ordered_json(o.alpha);
    config["lora_dropout"] = o.dropout;
    config["use_rslora"] = o.rslora;
    config["use_dora"] = o.dora;
    config["bias"] = "none";
    config["init_lora_weights"] = true;
    config["rank_pattern"] = pattern_of(all, o.rank, [](const nn::LoraOptions& own) { return own.rank; });
    config["alpha_pattern"] = pattern_of(all, o.alpha, [](const nn::LoraOptions& own) { return own.alpha; });
  } else if (dynamic_cast<const Ia3Adapter*>(&first) != nullptr) {
    config["init_ia3_weights"] = true;
    config["feedforward_modules"] = feedforward_of(all);
  } else if (const auto* bottleneck = dynamic_cast<const BottleneckAdapter*>(&first)) {
    config["activation"] = bottleneck->options().activation;
    config["scale"] = bottleneck->options().scale;
  }
  return config;
}

void check_alike(const std::map<std::string, Adapter*>& all, const std::string& name) {
  const Adapter& first = *all.begin()->second;
  const auto* lora = dynamic_cast<const LoraAdapter*>(&first);
  const auto* bottleneck = dynamic_cast<const BottleneckAdapter*>(&first);
  for (const auto& [path, adapter] : all) {
    bool alike = std::string(adapter->method()) == first.method();
    if (alike && lora != nullptr) {
      const auto &a = lora->options(), &b = static_cast<const LoraAdapter&>(*adapter).options();
      alike = a.rslora == b.rslora && a.dora == b.dora && a.dropout == b.dropout;
    }
    if (alike && bottleneck != nullptr) {
      const auto &a = bottleneck->options(), &b = static_cast<const BottleneckAdapter&>(*adapter).options();
      alike = a.activation == b.activation && a.scale == b.scale;
    }
    if (alike) continue;
    throw ValueError("save_adapter: '" + name + "' of " + path + " is of another kind than that of " +
                     all.begin()->first + ": a file holds one kind");
  }
}

}  // namespace

namespace {

void write(const std::string& folder, const io::Value& tensors, const ordered_json& fields) {
  const std::string text = fields.dump(2) + "\n";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw IoError(folder + ": " + error.message());
  const std::filesystem::path at(folder);
  io::save_safetensors((at / kTensors).string(), tensors, {{"format", "pt"}});
  io::AtomicFile config((at / kConfig).string());
  config.write(text);
  config.commit();
}

}  // namespace

void save_adapter(const nn::Module& net, const std::string& folder, const AdapterFileOptions& options) {
  nn::detail::check_adapter("save_adapter", net, options.name);
  std::map<std::string, Adapter*> all;
  ordered_json copies = ordered_json::array();
  bool transposed = false, prefixed = false;
  for (const auto& [path, module] : nn::detail::adapted_modules(net)) {
    Adapter* adapter = nn::detail::adapters_of(*module)->find(options.name);
    if (adapter == nullptr) continue;
    if (dynamic_cast<CopyAdapter*>(adapter) != nullptr) {
      copies.push_back(path);
      continue;
    }
    all[path] = adapter;
    transposed = transposed || nn::detail::kind_of(*module).type == LayerKind::Transposed;
    prefixed = prefixed || dynamic_cast<const nn::TakesPrefix*>(module) != nullptr;
  }
  if (all.empty()) {
    throw ValueError("save_adapter: '" + options.name + "' has only whole modules, " + copies.dump() +
                     "; a file needs an adapter beside them");
  }
  check_alike(all, options.name);
  if (prefixed && copies.empty()) {
    auto [tensors, config] = prefix_to_file(net, options.name);
    config["base_model_name_or_path"] = options.base_model;
    write(folder, tensors, config);
    return;
  }
  io::Value tensors = io::Value::dict();
  for (const auto& [path, module] : nn::detail::adapted_modules(net)) {
    const Adapter* adapter = nn::detail::adapters_of(*module)->find(options.name);
    if (adapter == nullptr) continue;
    for (const auto& [own, p] : adapter->named_parameters()) {
      Tensor value = p.detach();
      // A convolution's norms lie along its channels there.
      if (const int spatial = nn::detail::kind_of(*module).spatial; own == "lora_magnitude_vector" && spatial > 0) {
        Shape sizes{1, value.numel()};
        for (int i = 0; i < spatial; ++i) sizes.push_back(1);
        value = reshape(value, sizes);
      }
      tensors.set(kPrefix + path_in_file(path, all) + "." + in_file(own), value);
    }
  }
  ordered_json config = config_of(all, options.base_model, transposed);
  if (!copies.empty()) config["modules_to_save"] = copies;
  write(folder, tensors, config);
}

namespace {

struct Layer {
  std::map<std::string, Tensor> tensors;  // by our names
  nn::Module* module = nullptr;
  bool copy = false;  // trained whole
};

const std::vector<std::string>& names_of(const std::string& method) {
  static const std::map<std::string, std::vector<std::string>> all{
      {"LORA", {"lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B", "lora_magnitude_vector"}},
      {"IA3", {"ia3_l"}},
      {"BOTTLENECK", {"down_weight", "down_bias", "up_weight", "up_bias"}},
      {"PREFIX", {"prefix_key", "prefix_value"}}};
  static const std::vector<std::string> none;
  const auto at = all.find(method);
  return at == all.end() ? none : at->second;
}

// PEFT puts the base's tables into the file when they, or layers tied to them, are adapted. Ours must be the same.
bool is_of_base(const std::map<std::string, Tensor>& base, const std::string& path, const Tensor& value) {
  const auto at = base.find(without_base_layer(path));
  if (at == base.end()) return false;
  const Tensor& own = at->second;
  if (own.sizes() == value.sizes() && own.is_floating_point() && value.is_floating_point() &&
      equal(own.detach().to(kCPU), value.to(own.dtype())))
    return true;
  throw IoError("holds weights of the base that are not the network's: load them into it first");
}

std::map<std::string, Layer> layers_of(const std::string& file, const AdapterConfig& config, const std::string& method,
                                       nn::Module& net) {
  const io::Safetensors read = io::load_safetensors(file);
  std::map<std::string, nn::Module*> modules;
  for (const auto& [path, module] : net.named_modules()) modules[path] = module;
  std::map<std::string, Tensor> base;
  for (const auto& [path, value] : net.state_dict()) base[path] = value;
  std::map<std::string, Layer> layers;
  for (const auto& [key, value] : read.tensors.entries()) {
    const std::string name = key.to_string();
    const auto fail = [&](const std::string& why) { throw IoError(file + ": '" + name + "' " + why); };
    if (!name.starts_with(kPrefix)) fail(std::string("does not begin with '") + kPrefix + "', as PEFT's tensors do");
    std::string rest = name.substr(std::string(kPrefix).size()), own;
    for (const std::string& known : names_of(method))
      if (ends_in(rest, in_file(known))) own = known;
    const std::size_t dot = rest.rfind('.');
    const bool copy = own.empty() && dot != std::string::npos && config.saves_whole(rest.substr(0, dot));
    if (copy) own = rest.substr(dot + 1);
    try {
      if (own.empty() && is_of_base(base, rest, value.as_tensor())) continue;
    } catch (const IoError& error) {
      fail(error.what());
    }
    if (own.empty()) fail("is not a tensor of " + method);
    if (rest.size() <= in_file(own).size()) fail("belongs to no layer");
    rest = without_base_layer(rest.substr(0, rest.size() - in_file(own).size() - 1));
    const auto module = modules.find(rest);
    if (module == modules.end()) fail("belongs to a layer that the network lacks: '" + rest + "'");
    Layer& layer = layers[rest];
    layer.module = module->second;
    layer.copy = layer.copy || copy;
    if (!layer.tensors.emplace(own, value.as_tensor()).second) fail("comes twice for '" + rest + "'");
  }
  if (layers.empty()) throw IoError(file + ": holds no adapter");
  return layers;
}

// Makes the adapter of one layer, of the right sizes.
std::shared_ptr<nn::Module> made(const AdapterConfig& config, const std::string& method, const std::string& path,
                                 const Layer& layer, const std::string& name) {
  using nn::detail::KeptModule;
  const auto tensor = [&](const std::string& own) -> const Tensor& {
    const auto at = layer.tensors.find(own);
    if (at == layer.tensors.end()) throw IoError("has no '" + in_file(own) + "' for '" + path + "'");
    return at->second;
  };
  const LayerKind kind = nn::detail::kind_of(*layer.module);
  if (layer.copy) {
    if (!CopyAdapter::fits(*layer.module))
      throw IoError("has all of '" + path + "', which is a " + layer.module->type_name() + ": " +
                    "only Linear, Embedding and Conv1D are trained whole");
    return KeptModule::of(CopyAdapter(*layer.module));
  }
  if (method == "LORA") {
    if (kind.type == LayerKind::None) {
      throw IoError("has LoRA for '" + path + "', which is a " + layer.module->type_name());
    }
    const Tensor& a = tensor(kind.type == LayerKind::Embedding ? "lora_embedding_A" : "lora_A");
    if (a.dim() < 2 || a.size(0) < 1 || a.size(0) > kLargestRank) {
      throw IoError("has an A of " + gradus::to_string(a.sizes()) + " for '" + path + "'");
    }
    nn::LoraOptions o;
    o.rank = a.size(0);
    const double usual = config.number("r", 8, 1, kLargestRank);
    const double rank = config.for_layer("rank_pattern", path, usual);
    if (rank != static_cast<double>(o.rank)) {
      throw IoError("has an A of " + gradus::to_string(a.sizes()) + " for '" + path + "', where the config says rank " +
                    std::to_string(static_cast<std::int64_t>(rank)));
    }
    o.alpha = config.for_layer("alpha_pattern", path, config.number("lora_alpha", 8, -1e9, 1e9));
    o.dropout = config.number("lora_dropout", 0, 0, 0.999999);
    o.rslora = config.flag("use_rslora");
    o.dora = config.flag("use_dora");
    o.name = name;
    return KeptModule::of(LoraAdapter(*layer.module, o));
  }
  if (method == "IA3") {
    if (kind.type != LayerKind::Linear && kind.type != LayerKind::Transposed && kind.type != LayerKind::Conv) {
      throw IoError("has IA3 for '" + path + "', which is a " + layer.module->type_name());
    }
    return KeptModule::of(Ia3Adapter(*layer.module, config.names("feedforward_modules", path)));
  }
  if (method == "BOTTLENECK") {
    const Tensor& down = tensor("down_weight");
    if (down.dim() != 2 || down.numel() == 0) throw IoError("has an odd 'down_weight' for '" + path + "'");
    nn::BottleneckOptions o{.size = down.size(0), .name = name};
    if (config.find("activation") != nullptr) o.activation = config.text("activation");
    if (o.activation != "relu" && o.activation != "gelu" && o.activation != "tanh") {
      config.refuse("activation", "relu, gelu or tanh");
    }
    o.scale = config.number("scale", 1, -1e9, 1e9);
    return KeptModule::of(BottleneckAdapter(down.size(1), down.dtype() == kFloat64 ? kFloat64 : kFloat32, o));
  }
  const Tensor& key = tensor("prefix_key");
  if (!nn::detail::takes_prefix(*layer.module))
    throw IoError("has a prefix for '" + path + "', which is a " + layer.module->type_name());
  if (key.dim() != 2 || key.numel() == 0) throw IoError("has an odd 'prefix_key' for '" + path + "'");
  return KeptModule::of(PrefixAdapter(*layer.module, {.tokens = key.size(0), .name = name}));
}

void fill(const std::string& path, const Layer& layer, nn::Module& adapter) {
  const NoGrad guard;
  const auto own = adapter.named_parameters();
  for (const auto& [name, p] : own) {
    const auto at = layer.tensors.find(name);
    if (at == layer.tensors.end()) throw IoError("has no '" + in_file(name) + "' for '" + path + "'");
    const Tensor& value = at->second;
    const bool fits = value.sizes() == p.sizes() || (name == "lora_magnitude_vector" && value.numel() == p.numel());
    if (!fits || !value.is_floating_point()) {
      throw IoError("has '" + in_file(name) + "' of " + to_string(value.dtype()) + " " +
                    gradus::to_string(value.sizes()) + " for '" + path + "', which needs " +
                    gradus::to_string(p.sizes()));
    }
    Tensor(p).copy_(reshape(value, p.sizes()));
  }
  for (const auto& [name, value] : layer.tensors) {
    bool known = false;
    for (const auto& [other, p] : own) known = known || other == name;
    if (!known) throw IoError("has '" + in_file(name) + "' for '" + path + "', where the config has no use for it");
  }
}

}  // namespace

std::vector<std::string> load_adapter(nn::Module& net, const std::string& folder, const AdapterFileOptions& options) {
  const std::filesystem::path at(folder);
  const std::string file = (at / kTensors).string();
  const AdapterConfig config((at / kConfig).string());
  const std::string method = config.text("peft_type");
  if (method == "PREFIX_TUNING") return prefix_from_file(net, config, file, options.name);
  if (names_of(method).empty()) config.refuse("peft_type", "LORA, IA3, PREFIX_TUNING, BOTTLENECK or PREFIX");
  config.check_supported();
  const std::map<std::string, Layer> layers = layers_of(file, config, method, net);
  std::map<std::string, std::shared_ptr<nn::Module>> adapters;
  for (const auto& [path, layer] : layers) {
    try {
      adapters[path] = made(config, method, path, layer, options.name);
      fill(path, layer, *adapters[path]);
    } catch (const IoError& error) {
      const std::string what = error.what();
      throw IoError(what.starts_with("has ") ? file + ": " + what : what);
    } catch (const ValueError& error) {
      throw IoError(file + ": " + error.what());
    }
  }
  return nn::detail::attach(
      "load_adapter", net, "*", options.name,
      [&](const std::string& path, const nn::Module&) { return adapters.contains(path); },
      [&](const std::string& path, nn::Module&) { return adapters.at(path); });
}

}  // namespace gradus::training
