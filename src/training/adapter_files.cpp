#include <gradus/autograd.h>
#include <gradus/io/safetensors.h>
#include <gradus/training/adapter_files.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "io/file/atomic_file.h"
#include "nn/adapters/adapter.h"
#include "nn/parametrize/computed.h"
#include "text/json_file.h"

namespace gradus::training {

namespace {

using nlohmann::ordered_json;
using nn::detail::Adapter;
using nn::detail::BottleneckAdapter;
using nn::detail::Ia3Adapter;
using nn::detail::LayerKind;
using nn::detail::LoraAdapter;
using nn::detail::PrefixAdapter;

constexpr const char* kConfig = "adapter_config.json";
constexpr const char* kTensors = "adapter_model.safetensors";
constexpr const char* kPrefix = "base_model.model.";
constexpr std::uintmax_t kLargestConfig = 16 << 20;
constexpr std::int64_t kLargestRank = 1 << 20;

// An adapter's parameters by PEFT's names, which are those of modules where LoRA has some.
std::string in_file(const std::string& own) { return own == "lora_A" || own == "lora_B" ? own + ".weight" : own; }

bool ends_in(const std::string& name, const std::string& part) {
  return name == part ||
         (name.size() > part.size() && name.ends_with(part) && name[name.size() - part.size() - 1] == '.');
}

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

template <class Value, class Get>
ordered_json pattern_of(const std::map<std::string, Adapter*>& all, Value usual, Get get) {
  ordered_json result = ordered_json::object();
  for (const auto& [path, adapter] : all)
    if (const auto own = get(static_cast<const LoraAdapter&>(*adapter).options()); own != usual) result[path] = own;
  return result;
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
    config["feedforward_modules"] = ordered_json::array();
    for (const auto& [path, adapter] : all)
      if (static_cast<const Ia3Adapter&>(*adapter).feedforward()) config["feedforward_modules"].push_back(path);
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

void save_adapter(const nn::Module& net, const std::string& folder, const AdapterFileOptions& options) {
  nn::detail::check_adapter("save_adapter", net, options.name);
  std::map<std::string, Adapter*> all;
  bool transposed = false;
  for (const auto& [path, module] : nn::detail::adapted_modules(net)) {
    Adapter* adapter = nn::detail::adapters_of(*module)->find(options.name);
    if (adapter == nullptr) continue;
    all[path] = adapter;
    transposed = transposed || nn::detail::kind_of(*module).type == LayerKind::Transposed;
  }
  check_alike(all, options.name);
  io::Value tensors = io::Value::dict();
  for (const auto& [path, module] : nn::detail::adapted_modules(net)) {
    const auto at = all.find(path);
    if (at == all.end()) continue;
    for (const auto& [own, p] : at->second->named_parameters()) {
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
  const std::string text = config_of(all, options.base_model, transposed).dump(2) + "\n";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw IoError(folder + ": " + error.message());
  const std::filesystem::path at(folder);
  io::save_safetensors((at / kTensors).string(), tensors, {{"format", "pt"}});
  io::AtomicFile config((at / kConfig).string());
  config.write(text);
  config.commit();
}

namespace {

// A config's fields, by name, with the rules that they must keep.
class Config {
 public:
  explicit Config(const std::string& file) : file_(file) {
    try {
      json_ = text::parse_json<ordered_json>(text::read_text(file, kLargestConfig));
    } catch (const ordered_json::exception&) {
      throw IoError(file + ": is not a JSON object");
    }
    if (!json_.is_object()) throw IoError(file + ": is not a JSON object");
  }
  const ordered_json* find(const char* name) const {
    const auto at = json_.find(name);
    return at == json_.end() || at->is_null() ? nullptr : &*at;
  }
  [[noreturn]] void refuse(const char* name, const std::string& rule) const {
    const ordered_json* value = find(name);
    std::string got = value == nullptr ? "nothing" : value->dump(-1, ' ', true, ordered_json::error_handler_t::replace);
    if (got.size() > 80) got = got.substr(0, 80) + "...";
    throw IoError(file_ + ": " + name + " must be " + rule + ", got " + got);
  }
  std::string text(const char* name) const {
    const ordered_json* value = find(name);
    if (value == nullptr || !value->is_string()) refuse(name, "a string");
    return value->get<std::string>();
  }
  bool flag(const char* name) const {
    const ordered_json* value = find(name);
    if (value == nullptr) return false;
    if (!value->is_boolean()) refuse(name, "true or false");
    return value->get<bool>();
  }
  double number(const char* name, double otherwise, double least, double most) const {
    const ordered_json* value = find(name);
    if (value == nullptr) return otherwise;
    const double x = value->is_number() ? value->get<double>() : std::nan("");
    if (!(x >= least && x <= most))
      refuse(name, "a number of at least " + text_of(least) + " and at most " + text_of(most));
    return x;
  }
  // The value for a layer in a pattern that overrides the usual one: by a name, or the end of one.
  double for_layer(const char* name, const std::string& path, double usual) const {
    const ordered_json* all = find(name);
    if (all == nullptr) return usual;
    if (!all->is_object()) refuse(name, "an object");
    for (const auto& [key, value] : all->items()) {
      if (!ends_in(path, key.starts_with("^") ? key.substr(1) : key)) continue;
      if (!value.is_number() || !std::isfinite(value.get<double>())) refuse(name, "an object of numbers");
      return value.get<double>();
    }
    return usual;
  }
  void must_be_absent(const char* name) const {
    const ordered_json* value = find(name);
    if (value == nullptr || *value == false || *value == "none" || (value->is_structured() && value->empty())) return;
    refuse(name, "absent: what it asks for is not supported");
  }
  // Whether a list of names, or a pattern of PEFT's, which is a list of one, names the layer.
  bool lists(const char* name, const std::string& path) const {
    const ordered_json* value = find(name);
    if (value == nullptr) return false;
    if (value->is_string()) return ends_in(path, value->get<std::string>());
    if (!value->is_array()) refuse(name, "a list of names");
    for (const auto& one : *value) {
      if (!one.is_string()) refuse(name, "a list of names");
      if (ends_in(path, one.get<std::string>())) return true;
    }
    return false;
  }

 private:
  static std::string text_of(double x) { return ordered_json(x).dump(); }
  std::string file_;
  ordered_json json_;
};

struct Layer {
  std::map<std::string, Tensor> tensors;  // by our names
  nn::Module* module = nullptr;
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

std::map<std::string, Layer> layers_of(const std::string& file, const std::string& method, nn::Module& net) {
  const io::Safetensors read = io::load_safetensors(file);
  std::map<std::string, nn::Module*> modules;
  for (const auto& [path, module] : net.named_modules()) modules[path] = module;
  std::map<std::string, Layer> layers;
  for (const auto& [key, value] : read.tensors.entries()) {
    const std::string name = key.to_string();
    const auto fail = [&](const std::string& why) { throw IoError(file + ": '" + name + "' " + why); };
    if (!name.starts_with(kPrefix)) fail(std::string("does not begin with '") + kPrefix + "', as PEFT's tensors do");
    std::string rest = name.substr(std::string(kPrefix).size()), own;
    for (const std::string& known : names_of(method))
      if (ends_in(rest, in_file(known))) own = known;
    if (own.empty()) fail("is not a tensor of " + method);
    if (rest.size() <= in_file(own).size()) fail("belongs to no layer");
    rest = without_base_layer(rest.substr(0, rest.size() - in_file(own).size() - 1));
    const auto module = modules.find(rest);
    if (module == modules.end()) fail("belongs to a layer that the network lacks: '" + rest + "'");
    Layer& layer = layers[rest];
    layer.module = module->second;
    if (!layer.tensors.emplace(own, value.as_tensor()).second) fail("comes twice for '" + rest + "'");
  }
  if (layers.empty()) throw IoError(file + ": holds no adapter");
  return layers;
}

// Makes the adapter of one layer, of the right sizes.
std::shared_ptr<nn::Module> made(const Config& config, const std::string& method, const std::string& path,
                                 const Layer& layer, const std::string& name) {
  using nn::detail::KeptModule;
  const auto tensor = [&](const std::string& own) -> const Tensor& {
    const auto at = layer.tensors.find(own);
    if (at == layer.tensors.end()) throw IoError("has no '" + in_file(own) + "' for '" + path + "'");
    return at->second;
  };
  const LayerKind kind = nn::detail::kind_of(*layer.module);
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
    return KeptModule::of(Ia3Adapter(*layer.module, config.lists("feedforward_modules", path)));
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
  const auto* attention = layer.module->as<nn::MultiheadAttention>();
  const Tensor& key = tensor("prefix_key");
  if (attention == nullptr) throw IoError("has a prefix for '" + path + "', which is a " + layer.module->type_name());
  if (key.dim() != 2 || key.numel() == 0) throw IoError("has an odd 'prefix_key' for '" + path + "'");
  return KeptModule::of(PrefixAdapter(*attention, {.tokens = key.size(0), .name = name}));
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
  const Config config((at / kConfig).string());
  const std::string method = config.text("peft_type");
  if (names_of(method).empty()) config.refuse("peft_type", "LORA, IA3, BOTTLENECK or PREFIX");
  for (const char* name : {"modules_to_save", "bias", "lora_bias", "layer_replication", "alora_invocation_tokens",
                           "trainable_token_indices", "target_parameters", "use_qalora", "megatron_config"})
    config.must_be_absent(name);
  const std::map<std::string, Layer> layers = layers_of(file, method, net);
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
