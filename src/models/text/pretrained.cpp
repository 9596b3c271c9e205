#include <gradus/io/load.h>
#include <gradus/io/safetensors.h>
#include <gradus/models/pretrained.h>

#include <charconv>
#include <filesystem>
#include <set>

#include "models/text/config.h"

namespace gradus::models {

namespace {

using nn::StateDict;
using text::JsonObject;
using text::shown;
namespace fs = std::filesystem;

JsonObject read_config(const std::string& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error))
    throw IoError("from_pretrained: " + folder + ": need a folder with config.json and weights");
  return JsonObject::read((fs::path(folder) / "config.json").string());
}

// The file's names as the class has them; an empty one leaves a tensor out.
using NameOf = std::string (*)(const std::string& name);

std::string gpt2_name(const std::string& name) {
  // Masks that older versions saved.
  if (name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias")) return "";
  if (name.starts_with("transformer.") || name.starts_with("lm_head.")) return name;
  return "transformer." + name;
}

std::string llama_name(const std::string& name) {
  if (name.ends_with(".rotary_emb.inv_freq")) return "";
  if (name.starts_with("model.") || name.starts_with("lm_head.")) return name;
  return "model." + name;
}

// The body's names without "bert.", those of heads as they are.
std::string bert_name(const std::string& given) {
  std::string name = given.starts_with("bert.") ? given.substr(5) : given;
  if (name == "embeddings.position_ids") return "";
  if (name.ends_with(".gamma")) name.replace(name.size() - 5, 5, "weight");
  if (name.ends_with(".beta")) name.replace(name.size() - 4, 4, "bias");
  return name;
}

StateDict read_weights(const std::string& folder, const PretrainedOptions& options, NameOf name_of) {
  StateDict dict;
  for (const auto& [name, tensor] : io::load_state_dict(folder, {.load = options.load})) {
    const std::string own = name_of(name);
    if (own.empty()) continue;
    if (dict.contains(own))
      throw IoError("from_pretrained: " + folder + ": the weights have '" + shown(own) + "' twice");
    dict.set(own, tensor);
  }
  return dict;
}

// What a file must have for a configuration. The first that is not so is an error that names both.
template <class Options>
void check_weights(const JsonObject& config, const std::string& folder, const StateDict& dict, const Options& options,
                   const std::string& layers, const char* layers_field, std::int64_t layer_count) {
  const auto fail = [&](const std::string& what) { throw IoError("from_pretrained: " + folder + ": " + what); };
  need_tensors(options, [&](const std::string& name, std::initializer_list<Field> sizes) {
    const Tensor* found = dict.find(name);
    if (found == nullptr) {
      const bool layer = name.starts_with(layers);
      fail("the weights have no '" + name + "', which " + config.file() + " asks for" +
           (layer ? std::string(" (") + layers_field + " is " + std::to_string(layer_count) + ")" : ""));
    }
    Shape needed;
    std::string why;
    for (const Field& size : sizes) {
      needed.insert(needed.rank(), size.value);
      why += (why.empty() ? "" : ", ") + size.name + " is " + std::to_string(size.value);
    }
    if (!(found->sizes() == needed))
      fail("'" + name + "' is " + to_string(found->sizes()) + ", " + config.file() + " asks for " + to_string(needed) +
           ": " + why);
    if (!found->is_floating_point()) fail("'" + name + "' must be floating-point, got " + to_string(found->dtype()));
  });
  for (const auto& [name, tensor] : dict) {
    if (!name.starts_with(layers)) continue;
    std::int64_t index = -1;
    std::from_chars(name.data() + layers.size(), name.data() + name.size(), index);
    if (index >= layer_count)
      fail("the weights have '" + shown(name) + "', but " + config.file() + " says that " + layers_field + " is " +
           std::to_string(layer_count));
  }
}

void check_type(const JsonObject& config, std::initializer_list<const char*> known, const char* model) {
  const std::string type = config.string("model_type", {});
  std::string names;
  for (const char* name : known) {
    if (type == name) return;
    names.append(names.empty() ? "" : " or ").append(name);
  }
  config.refuse("model_type", names + " for models::" + model);
}

template <class Model>
Model filled(Model net, const StateDict& dict, const std::string& folder, const PretrainedOptions& options) {
  net.to(options.dtype);
  try {
    net.load_state_dict(dict);
  } catch (const ValueError& error) {
    throw IoError("from_pretrained: " + folder + ": " + error.what());
  }
  net.eval();
  return net;
}

template <class Model, class Options>
Model decoder(const JsonObject& config, const std::string& folder, const Options& o, NameOf name_of, const char* layers,
              const char* layers_field, std::int64_t layer_count, const PretrainedOptions& options) {
  StateDict dict = read_weights(folder, options, name_of);
  if (o.tie_word_embeddings) dict.erase("lm_head.weight");
  check_weights(config, folder, dict, o, layers, layers_field, layer_count);
  return filled(Model(o), dict, folder, options);
}

// Of BERT: what the body is called in a class, and what may start anew.
template <class Model>
Model bert_model(const std::string& folder, const PretrainedOptions& options, const std::string& body,
                 const std::string& head, bool head_may_miss, bool has_pooler) {
  const JsonObject config = read_config(folder);
  check_type(config, {"bert"}, "BERT");
  BERTOptions o = bert_options(config);
  if (options.num_labels) o.num_labels = *options.num_labels;
  const StateDict all = read_weights(folder, options, bert_name);
  check_weights(config, folder, all, o, "encoder.layer.", "num_hidden_layers", o.num_hidden_layers);
  const bool pooled = all.contains("pooler.dense.weight");
  if (body.empty()) o.add_pooling_layer = pooled;
  Model net(o);
  StateDict dict;
  for (const auto& [name, tensor] : all) {
    const bool is_pooler = name.starts_with("pooler.");
    if (name.starts_with("embeddings.") || name.starts_with("encoder.") || (is_pooler && has_pooler)) {
      dict.set(body + name, tensor);
    } else if (!head.empty() && name.starts_with(head)) {
      dict.set(name, tensor);
    }
  }
  const StateDict own = net.state_dict();
  for (const auto& [name, tensor] : own) {
    const bool fresh = head_may_miss && (name.starts_with(head) || name.starts_with(body + "pooler."));
    const Tensor* found = dict.find(name);
    if (fresh && (found == nullptr || !(found->sizes() == tensor.sizes()))) dict.set(name, tensor);
  }
  return filled(std::move(net), dict, folder, options);
}

template <class Model>
std::shared_ptr<Model> shared(Model model) {
  return std::static_pointer_cast<Model>(nn::share(std::move(model)));
}

}  // namespace

template <>
GPT2 from_pretrained<GPT2>(const std::string& folder, const PretrainedOptions& options) {
  const JsonObject config = read_config(folder);
  check_type(config, {"gpt2"}, "GPT2");
  const GPT2Options o = gpt2_options(config);
  return decoder<GPT2>(config, folder, o, gpt2_name, "transformer.h.", "n_layer", o.n_layer, options);
}

template <>
Llama from_pretrained<Llama>(const std::string& folder, const PretrainedOptions& options) {
  const JsonObject config = read_config(folder);
  check_type(config, {"llama", "mistral", "qwen2"}, "Llama");
  const LlamaOptions o = llama_options(config);
  return decoder<Llama>(config, folder, o, llama_name, "model.layers.", "num_hidden_layers", o.num_hidden_layers,
                        options);
}

template <>
BERT from_pretrained<BERT>(const std::string& folder, const PretrainedOptions& options) {
  return bert_model<BERT>(folder, options, "", "", false, true);
}

template <>
BERTForMaskedLM from_pretrained<BERTForMaskedLM>(const std::string& folder, const PretrainedOptions& options) {
  return bert_model<BERTForMaskedLM>(folder, options, "bert.", "cls.predictions.", false, false);
}

template <>
BERTForSequenceClassification from_pretrained<BERTForSequenceClassification>(const std::string& folder,
                                                                             const PretrainedOptions& options) {
  return bert_model<BERTForSequenceClassification>(folder, options, "bert.", "classifier.", true, true);
}

template <>
BERTForTokenClassification from_pretrained<BERTForTokenClassification>(const std::string& folder,
                                                                       const PretrainedOptions& options) {
  return bert_model<BERTForTokenClassification>(folder, options, "bert.", "classifier.", true, false);
}

std::shared_ptr<CausalLM> causal_lm_from_pretrained(const std::string& folder, const PretrainedOptions& options) {
  const JsonObject config = read_config(folder);
  const std::string type = config.string("model_type", {});
  if (type == "gpt2") return shared(from_pretrained<GPT2>(folder, options));
  if (type == "llama" || type == "mistral" || type == "qwen2") return shared(from_pretrained<Llama>(folder, options));
  config.refuse("model_type", "that of a decoder: gpt2, llama, mistral or qwen2");
}

std::shared_ptr<nn::Module> from_pretrained(const std::string& folder, const PretrainedOptions& options) {
  const JsonObject config = read_config(folder);
  const std::string type = config.string("model_type", {});
  if (type != "bert") {
    if (type == "gpt2" || type == "llama" || type == "mistral" || type == "qwen2")
      return causal_lm_from_pretrained(folder, options);
    config.refuse("model_type", "gpt2, llama, mistral, qwen2 or bert");
  }
  std::string task;
  if (const auto* list = config.find("architectures"); list != nullptr) {
    if (!list->is_array() || list->empty() || !(*list)[0].is_string())
      config.refuse("architectures", "a list of names");
    task = (*list)[0].get<std::string>();
  }
  if (task == "BertForMaskedLM") return shared(from_pretrained<BERTForMaskedLM>(folder, options));
  if (task == "BertForSequenceClassification")
    return shared(from_pretrained<BERTForSequenceClassification>(folder, options));
  if (task == "BertForTokenClassification") return shared(from_pretrained<BERTForTokenClassification>(folder, options));
  return shared(from_pretrained<BERT>(folder, options));
}

void save_pretrained(const nn::Module& model, const std::string& folder) {
  std::string config;
  const std::vector<Tensor> parameters = model.parameters();
  const Dtype dtype = parameters.empty() ? kFloat32 : parameters[0].dtype();
  if (const auto* m = dynamic_cast<const GPT2*>(&model)) config = to_json(m->options(), dtype);
  if (const auto* m = dynamic_cast<const Llama*>(&model)) config = to_json(m->options(), dtype);
  if (const auto* m = dynamic_cast<const BERT*>(&model)) config = to_json(m->options(), "BertModel", dtype);
  if (const auto* m = dynamic_cast<const BERTForMaskedLM*>(&model))
    config = to_json(m->options(), "BertForMaskedLM", dtype);
  if (const auto* m = dynamic_cast<const BERTForSequenceClassification*>(&model))
    config = to_json(m->options(), "BertForSequenceClassification", dtype);
  if (const auto* m = dynamic_cast<const BERTForTokenClassification*>(&model))
    config = to_json(m->options(), "BertForTokenClassification", dtype);
  if (config.empty()) throw ValueError("save_pretrained: need a GPT2, a Llama or a BERT, got a " + model.type_name());

  std::set<std::string> first;  // the names under which tied tensors are written
  for (const auto& [name, p] : model.named_parameters()) first.insert(name);
  for (const auto& [name, b] : model.named_buffers()) first.insert(name);
  StateDict dict;
  for (const auto& [name, tensor] : model.state_dict())
    if (first.contains(name)) dict.set(name, tensor);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw IoError("save_pretrained: " + folder + ": " + error.message());
  io::save_safetensors((fs::path(folder) / "model.safetensors").string(), io::to_value(dict), {{"format", "pt"}});
  text::write_text((fs::path(folder) / "config.json").string(), config);
}

}  // namespace gradus::models
