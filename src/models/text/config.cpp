#include "models/text/config.h"

#include <limits>

#include "models/text/blocks.h"

namespace gradus::models {

namespace {

using nlohmann::ordered_json;
using text::JsonObject;

constexpr std::int64_t kMostSize = std::numeric_limits<std::int32_t>::max();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::int64_t size(const JsonObject& config, const char* name, std::optional<std::int64_t> otherwise = {}) {
  return config.integer(name, otherwise, 1, kMostSize);
}

std::optional<std::int64_t> optional_size(const JsonObject& config, const char* name) {
  if (!config.has(name)) return {};
  return size(config, name);
}

double probability(const JsonObject& config, const char* name, double otherwise) {
  return config.number(name, otherwise, 0, 1);
}

std::string act(const JsonObject& config, const char* name, const char* otherwise) {
  const std::string given = config.string(name, otherwise);
  if (find_activation(given) == nullptr) config.refuse(name, "one of " + activations());
  return given;
}

void check_multiple(const JsonObject& config, const char* whole, std::int64_t of, const char* part, std::int64_t by) {
  if (of % by != 0) config.refuse(whole, std::string("a multiple of ") + part + ", " + std::to_string(by));
}

// What would change the result and is not built here.
void check_off(const JsonObject& config, std::initializer_list<const char*> flags) {
  for (const char* name : flags)
    if (config.flag(name, false)) config.refuse(name, "false, as Gradus does not support it");
  if (config.has("quantization_config")) config.refuse("quantization_config", "absent: the weights must be as trained");
}

RopeOptions rope_options(const JsonObject& config) {
  RopeOptions o;
  o.rope_theta = config.number("rope_theta", o.rope_theta, 1e-6, 1e12);
  auto rope = config.object("rope_parameters");
  if (!rope) rope = config.object("rope_scaling");
  if (!rope) return o;
  const char* type = rope->has("rope_type") || !rope->has("type") ? "rope_type" : "type";
  o.rope_type = rope->string(type, o.rope_type);
  if (o.rope_type != "default" && o.rope_type != "linear" && o.rope_type != "llama3")
    rope->refuse(type, "default, linear or llama3");
  o.rope_theta = rope->number("rope_theta", o.rope_theta, 1e-6, 1e12);
  if (rope->number("partial_rotary_factor", 1, 0, 1) != 1) rope->refuse("partial_rotary_factor", "1");
  if (o.rope_type == "default") return o;
  o.factor = rope->number("factor", {}, 1e-6, 1e6);
  if (o.rope_type == "linear") return o;
  o.low_freq_factor = rope->number("low_freq_factor", {}, 1e-6, 1e6);
  o.high_freq_factor = rope->number("high_freq_factor", {}, 1e-6, 1e6);
  if (!(o.high_freq_factor > o.low_freq_factor)) rope->refuse("high_freq_factor", "above low_freq_factor");
  o.original_max_position_embeddings = static_cast<double>(size(*rope, "original_max_position_embeddings"));
  return o;
}

}  // namespace

GPT2Options gpt2_options(const JsonObject& config) {
  check_off(config, {"add_cross_attention"});
  GPT2Options o;
  o.vocab_size = size(config, "vocab_size");
  o.n_positions = size(config, "n_positions", o.n_positions);
  o.n_embd = size(config, "n_embd");
  o.n_layer = size(config, "n_layer");
  o.n_head = size(config, "n_head");
  o.n_inner = optional_size(config, "n_inner");
  o.activation_function = act(config, "activation_function", "gelu_new");
  o.resid_pdrop = probability(config, "resid_pdrop", o.resid_pdrop);
  o.embd_pdrop = probability(config, "embd_pdrop", o.embd_pdrop);
  o.attn_pdrop = probability(config, "attn_pdrop", o.attn_pdrop);
  o.layer_norm_epsilon = config.number("layer_norm_epsilon", o.layer_norm_epsilon, 0, 1);
  o.initializer_range = config.number("initializer_range", o.initializer_range, 0, kInfinity);
  o.scale_attn_weights = config.flag("scale_attn_weights", true);
  o.scale_attn_by_inverse_layer_idx = config.flag("scale_attn_by_inverse_layer_idx", false);
  o.tie_word_embeddings = config.flag("tie_word_embeddings", true);
  check_multiple(config, "n_embd", o.n_embd, "n_head", o.n_head);
  return o;
}

LlamaOptions llama_options(const JsonObject& config) {
  check_off(config, {"use_sliding_window"});
  const std::string type = config.string("model_type", {});
  LlamaOptions o;
  o.vocab_size = size(config, "vocab_size");
  o.hidden_size = size(config, "hidden_size");
  o.intermediate_size = size(config, "intermediate_size");
  o.num_hidden_layers = size(config, "num_hidden_layers");
  o.num_attention_heads = size(config, "num_attention_heads");
  o.num_key_value_heads = optional_size(config, "num_key_value_heads");
  o.head_dim = optional_size(config, "head_dim");
  o.hidden_act = act(config, "hidden_act", "silu");
  o.max_position_embeddings = size(config, "max_position_embeddings", o.max_position_embeddings);
  o.initializer_range = config.number("initializer_range", o.initializer_range, 0, kInfinity);
  o.rms_norm_eps = config.number("rms_norm_eps", o.rms_norm_eps, 0, 1);
  o.tie_word_embeddings = config.flag("tie_word_embeddings", false);
  o.rope = rope_options(config);
  o.attention_bias = type == "qwen2" || config.flag("attention_bias", false);
  o.attention_output_bias = type == "llama" && o.attention_bias;
  o.mlp_bias = config.flag("mlp_bias", false);
  o.attention_dropout = probability(config, "attention_dropout", 0);
  if (type == "mistral") o.sliding_window = optional_size(config, "sliding_window");
  if (!o.head_dim) {
    check_multiple(config, "hidden_size", o.hidden_size, "num_attention_heads", o.num_attention_heads);
    if (o.hidden_size / o.num_attention_heads % 2 != 0)
      config.refuse("hidden_size", "an even multiple of num_attention_heads, " + std::to_string(o.num_attention_heads));
  } else if (*o.head_dim % 2 != 0) {
    config.refuse("head_dim", "even");
  }
  check_multiple(config, "num_attention_heads", o.num_attention_heads, "num_key_value_heads",
                 o.num_key_value_heads.value_or(o.num_attention_heads));
  return o;
}

BERTOptions bert_options(const JsonObject& config) {
  check_off(config, {"is_decoder", "add_cross_attention"});
  BERTOptions o;
  o.vocab_size = size(config, "vocab_size");
  o.hidden_size = size(config, "hidden_size");
  o.num_hidden_layers = size(config, "num_hidden_layers");
  o.num_attention_heads = size(config, "num_attention_heads");
  o.intermediate_size = size(config, "intermediate_size");
  o.hidden_act = act(config, "hidden_act", "gelu");
  o.hidden_dropout_prob = probability(config, "hidden_dropout_prob", o.hidden_dropout_prob);
  o.attention_probs_dropout_prob = probability(config, "attention_probs_dropout_prob", o.attention_probs_dropout_prob);
  o.max_position_embeddings = size(config, "max_position_embeddings", o.max_position_embeddings);
  o.type_vocab_size = size(config, "type_vocab_size", o.type_vocab_size);
  o.layer_norm_eps = config.number("layer_norm_eps", o.layer_norm_eps, 0, 1);
  o.initializer_range = config.number("initializer_range", o.initializer_range, 0, kInfinity);
  o.tie_word_embeddings = config.flag("tie_word_embeddings", true);
  if (config.find("pad_token_id") != nullptr || !config.value().contains("pad_token_id")) {
    o.pad_token_id = config.integer("pad_token_id", 0, 0, o.vocab_size - 1);
  } else {
    o.pad_token_id.reset();
  }
  if (config.has("classifier_dropout")) o.classifier_dropout = probability(config, "classifier_dropout", 0);
  o.num_labels = size(config, "num_labels", o.num_labels);
  if (const auto labels = config.object("id2label"); labels && !labels->value().empty())
    o.num_labels = static_cast<std::int64_t>(labels->value().size());
  if (config.string("position_embedding_type", "absolute") != "absolute")
    config.refuse("position_embedding_type", "absolute");
  check_multiple(config, "hidden_size", o.hidden_size, "num_attention_heads", o.num_attention_heads);
  return o;
}

std::string to_json(const GPT2Options& o, Dtype dtype) {
  ordered_json json{{"architectures", {"GPT2LMHeadModel"}},
                    {"model_type", "gpt2"},
                    {"vocab_size", o.vocab_size},
                    {"n_positions", o.n_positions},
                    {"n_embd", o.n_embd},
                    {"n_layer", o.n_layer},
                    {"n_head", o.n_head},
                    {"n_inner", nullptr},
                    {"activation_function", o.activation_function},
                    {"resid_pdrop", o.resid_pdrop},
                    {"embd_pdrop", o.embd_pdrop},
                    {"attn_pdrop", o.attn_pdrop},
                    {"layer_norm_epsilon", o.layer_norm_epsilon},
                    {"initializer_range", o.initializer_range},
                    {"scale_attn_weights", o.scale_attn_weights},
                    {"scale_attn_by_inverse_layer_idx", o.scale_attn_by_inverse_layer_idx},
                    {"tie_word_embeddings", o.tie_word_embeddings},
                    {"dtype", to_string(dtype)}};
  if (o.n_inner) json["n_inner"] = *o.n_inner;
  return json.dump(2) + "\n";
}

std::string to_json(const LlamaOptions& o, Dtype dtype) {
  // Which of the three model types it is decides which fields say the rest.
  const bool qwen2 = o.attention_bias && !o.attention_output_bias, mistral = o.sliding_window.has_value();
  const bool known = mistral ? !o.attention_bias && !o.attention_output_bias && !o.mlp_bias
                     : qwen2 ? !o.mlp_bias
                             : o.attention_output_bias == o.attention_bias;
  if (!known)
    throw ValueError(
        "save_pretrained: no model_type of the Hub has this combination of sliding_window, attention_bias, "
        "attention_output_bias and mlp_bias");
  ordered_json rope{{"rope_type", o.rope.rope_type}, {"rope_theta", o.rope.rope_theta}};
  if (o.rope.rope_type != "default") rope["factor"] = o.rope.factor;
  if (o.rope.rope_type == "llama3") {
    rope["low_freq_factor"] = o.rope.low_freq_factor;
    rope["high_freq_factor"] = o.rope.high_freq_factor;
    rope["original_max_position_embeddings"] = static_cast<std::int64_t>(o.rope.original_max_position_embeddings);
  }
  ordered_json json{{"architectures",
                     {qwen2     ? "Qwen2ForCausalLM"
                      : mistral ? "MistralForCausalLM"
                                : "LlamaForCausalLM"}},
                    {"model_type", qwen2     ? "qwen2"
                                   : mistral ? "mistral"
                                             : "llama"},
                    {"vocab_size", o.vocab_size},
                    {"hidden_size", o.hidden_size},
                    {"intermediate_size", o.intermediate_size},
                    {"num_hidden_layers", o.num_hidden_layers},
                    {"num_attention_heads", o.num_attention_heads},
                    {"num_key_value_heads", o.num_key_value_heads.value_or(o.num_attention_heads)},
                    {"head_dim", o.head_dim.value_or(o.hidden_size / o.num_attention_heads)},
                    {"hidden_act", o.hidden_act},
                    {"max_position_embeddings", o.max_position_embeddings},
                    {"initializer_range", o.initializer_range},
                    {"rms_norm_eps", o.rms_norm_eps},
                    {"tie_word_embeddings", o.tie_word_embeddings},
                    {"rope_theta", o.rope.rope_theta},
                    {"rope_parameters", rope},
                    {"attention_dropout", o.attention_dropout},
                    {"dtype", to_string(dtype)}};
  if (!qwen2 && !mistral) {
    json["attention_bias"] = o.attention_bias;
    json["mlp_bias"] = o.mlp_bias;
  }
  if (mistral) json["sliding_window"] = *o.sliding_window;
  return json.dump(2) + "\n";
}

std::string to_json(const BERTOptions& o, const char* architecture, Dtype dtype) {
  ordered_json labels = ordered_json::object(), ids = ordered_json::object();
  for (std::int64_t i = 0; i < o.num_labels; ++i) {
    labels[std::to_string(i)] = "LABEL_" + std::to_string(i);
    ids["LABEL_" + std::to_string(i)] = i;
  }
  ordered_json json{{"architectures", {architecture}},
                    {"model_type", "bert"},
                    {"vocab_size", o.vocab_size},
                    {"hidden_size", o.hidden_size},
                    {"num_hidden_layers", o.num_hidden_layers},
                    {"num_attention_heads", o.num_attention_heads},
                    {"intermediate_size", o.intermediate_size},
                    {"hidden_act", o.hidden_act},
                    {"hidden_dropout_prob", o.hidden_dropout_prob},
                    {"attention_probs_dropout_prob", o.attention_probs_dropout_prob},
                    {"max_position_embeddings", o.max_position_embeddings},
                    {"type_vocab_size", o.type_vocab_size},
                    {"layer_norm_eps", o.layer_norm_eps},
                    {"initializer_range", o.initializer_range},
                    {"pad_token_id", nullptr},
                    {"classifier_dropout", nullptr},
                    {"id2label", labels},
                    {"label2id", ids},
                    {"tie_word_embeddings", o.tie_word_embeddings},
                    {"dtype", to_string(dtype)}};
  if (o.pad_token_id) json["pad_token_id"] = *o.pad_token_id;
  if (o.classifier_dropout) json["classifier_dropout"] = *o.classifier_dropout;
  return json.dump(2) + "\n";
}

void need_tensors(const GPT2Options& o, const NeedTensor& need) {
  const Field width{"n_embd", o.n_embd}, thrice{"3 n_embd", 3 * o.n_embd};
  const Field inner = o.n_inner ? Field{"n_inner", *o.n_inner} : Field{"4 n_embd", 4 * o.n_embd};
  need("transformer.wte.weight", {{"vocab_size", o.vocab_size}, width});
  need("transformer.wpe.weight", {{"n_positions", o.n_positions}, width});
  for (std::int64_t i = 0; i < o.n_layer; ++i) {
    const std::string at = "transformer.h." + std::to_string(i) + ".";
    need(at + "attn.c_attn.weight", {width, thrice});
    need(at + "attn.c_attn.bias", {thrice});
    need(at + "attn.c_proj.weight", {width, width});
    need(at + "mlp.c_fc.weight", {width, inner});
    need(at + "mlp.c_proj.weight", {inner, width});
    for (const char* name :
         {"ln_1.weight", "ln_1.bias", "ln_2.weight", "ln_2.bias", "attn.c_proj.bias", "mlp.c_proj.bias"})
      need(at + name, {width});
    need(at + "mlp.c_fc.bias", {inner});
  }
  for (const char* name : {"transformer.ln_f.weight", "transformer.ln_f.bias"}) need(name, {width});
  if (!o.tie_word_embeddings) need("lm_head.weight", {{"vocab_size", o.vocab_size}, width});
}

void need_tensors(const LlamaOptions& o, const NeedTensor& need) {
  const std::int64_t head = o.head_dim.value_or(o.hidden_size / o.num_attention_heads);
  const std::int64_t keys = o.num_key_value_heads.value_or(o.num_attention_heads);
  const Field width{"hidden_size", o.hidden_size}, inner{"intermediate_size", o.intermediate_size};
  const std::string by = o.head_dim ? " * head_dim" : " * hidden_size / num_attention_heads";
  const Field queries{o.head_dim ? "num_attention_heads * head_dim" : "hidden_size", o.num_attention_heads * head};
  const Field pairs{(o.num_key_value_heads ? "num_key_value_heads" : "num_attention_heads") + by, keys * head};
  need("model.embed_tokens.weight", {{"vocab_size", o.vocab_size}, width});
  for (std::int64_t i = 0; i < o.num_hidden_layers; ++i) {
    const std::string at = "model.layers." + std::to_string(i) + ".";
    need(at + "self_attn.q_proj.weight", {queries, width});
    need(at + "self_attn.k_proj.weight", {pairs, width});
    need(at + "self_attn.v_proj.weight", {pairs, width});
    need(at + "self_attn.o_proj.weight", {width, queries});
    need(at + "mlp.gate_proj.weight", {inner, width});
    need(at + "mlp.up_proj.weight", {inner, width});
    need(at + "mlp.down_proj.weight", {width, inner});
    need(at + "input_layernorm.weight", {width});
    need(at + "post_attention_layernorm.weight", {width});
    if (o.attention_bias) {
      need(at + "self_attn.q_proj.bias", {queries});
      need(at + "self_attn.k_proj.bias", {pairs});
      need(at + "self_attn.v_proj.bias", {pairs});
    }
    if (o.attention_output_bias) need(at + "self_attn.o_proj.bias", {width});
    if (o.mlp_bias) {
      need(at + "mlp.gate_proj.bias", {inner});
      need(at + "mlp.up_proj.bias", {inner});
      need(at + "mlp.down_proj.bias", {width});
    }
  }
  need("model.norm.weight", {width});
  if (!o.tie_word_embeddings) need("lm_head.weight", {{"vocab_size", o.vocab_size}, width});
}

void need_tensors(const BERTOptions& o, const NeedTensor& need) {
  const Field width{"hidden_size", o.hidden_size}, inner{"intermediate_size", o.intermediate_size};
  need("embeddings.word_embeddings.weight", {{"vocab_size", o.vocab_size}, width});
  need("embeddings.position_embeddings.weight", {{"max_position_embeddings", o.max_position_embeddings}, width});
  need("embeddings.token_type_embeddings.weight", {{"type_vocab_size", o.type_vocab_size}, width});
  for (const char* name : {"embeddings.LayerNorm.weight", "embeddings.LayerNorm.bias"}) need(name, {width});
  for (std::int64_t i = 0; i < o.num_hidden_layers; ++i) {
    const std::string at = "encoder.layer." + std::to_string(i) + ".";
    for (const char* name :
         {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"}) {
      need(at + name + ".weight", {width, width});
      need(at + name + ".bias", {width});
    }
    need(at + "intermediate.dense.weight", {inner, width});
    need(at + "intermediate.dense.bias", {inner});
    need(at + "output.dense.weight", {width, inner});
    for (const char* name : {"output.dense.bias", "attention.output.LayerNorm.weight",
                             "attention.output.LayerNorm.bias", "output.LayerNorm.weight", "output.LayerNorm.bias"})
      need(at + name, {width});
  }
}

}  // namespace gradus::models
