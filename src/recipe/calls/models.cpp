// Models by name: those of the registry, whose options are the arguments.
#include <fmt/format.h>
#include <gradus/models/pretrained.h>
#include <gradus/models/registry.h>

#include "recipe/calls/callables.h"

namespace gradus::recipe {

namespace {

// The form line of an option.
std::string line_of(const models::OptionInfo& option) {
  constexpr const char* kTypes[] = {"flag", "int", "number", "text"};
  const std::string value = std::visit(
      [](const auto& x) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(x)>, std::string>)
          return x.empty() ? "none" : x;
        else
          return fmt::format("{}", x);
      },
      option.value);
  return fmt::format("{}: {} = {} -- {}", option.name, kTypes[option.value.index()], value, option.about);
}

models::Value value_of(const models::OptionInfo& option, const Fields& fields) {
  switch (option.value.index()) {
    case 0:
      return fields.flag(option.name);
    case 1:
      return fields.integer(option.name);
    case 2:
      return fields.number(option.name);
    default:
      return fields.text(option.name);
  }
}

std::optional<std::int64_t> maybe(const Fields& fields, const char* name) {
  return fields.has(name) ? std::optional(fields.integer(name)) : std::nullopt;
}

// Those of text, which are made of options of their own, or read from a folder of the Hub's.
std::vector<Model> text_models() {
  return {
      {parse_signature("from_pretrained(folder: file, num_labels: int>=1 = none)",
                       "the model in a folder of the Hub's"),
       [](const Fields& f) {
         return models::from_pretrained(f.text("folder"), {.num_labels = maybe(f, "num_labels")});
       }},
      {parse_signature("GPT2(vocab_size: int>=1 = 50257, n_positions: int>=1 = 1024, n_embd: int>=1 = 768, "
                       "n_layer: int>=1 = 12, n_head: int>=1 = 12, dropout: number[0,1] = 0.1)",
                       "a decoder of text"),
       [](const Fields& f) {
         return std::make_shared<models::GPT2>(models::GPT2Options{.vocab_size = f.integer("vocab_size"),
                                                                   .n_positions = f.integer("n_positions"),
                                                                   .n_embd = f.integer("n_embd"),
                                                                   .n_layer = f.integer("n_layer"),
                                                                   .n_head = f.integer("n_head"),
                                                                   .resid_pdrop = f.number("dropout"),
                                                                   .embd_pdrop = f.number("dropout"),
                                                                   .attn_pdrop = f.number("dropout")});
       }},
      {parse_signature("Llama(vocab_size: int>=1 = 32000, hidden_size: int>=1 = 4096, intermediate_size: int>=1 = "
                       "11008, num_hidden_layers: int>=1 = 32, num_attention_heads: int>=1 = 32, "
                       "num_key_value_heads: int>=1 = none, max_position_embeddings: int>=1 = 2048)",
                       "a decoder of text"),
       [](const Fields& f) {
         models::LlamaOptions o;
         o.vocab_size = f.integer("vocab_size");
         o.hidden_size = f.integer("hidden_size");
         o.intermediate_size = f.integer("intermediate_size");
         o.num_hidden_layers = f.integer("num_hidden_layers");
         o.num_attention_heads = f.integer("num_attention_heads");
         o.num_key_value_heads = maybe(f, "num_key_value_heads");
         o.max_position_embeddings = f.integer("max_position_embeddings");
         return std::make_shared<models::Llama>(o);
       }},
  };
}

}  // namespace

const std::vector<Model>& models() {
  static const std::vector<Model> all = [] {
    std::vector<Model> rows = text_models();
    for (const models::ModelInfo& info : models::list()) {
      Model row;
      row.form.name = info.name;
      row.form.help = info.about;
      for (const models::OptionInfo& option : info.options) row.form.fields.push_back(parse_field(line_of(option)));
      row.make = [&info](const Fields& fields) {
        models::Options options;
        for (const models::OptionInfo& option : info.options) options[option.name] = value_of(option, fields);
        return models::make(info.name, options);
      };
      rows.push_back(std::move(row));
    }
    return rows;
  }();
  return all;
}

}  // namespace gradus::recipe
