#include <utility>

#include "text/tokenizer/stages.h"

namespace gradus::text {

namespace {

std::int64_t read_number(const JsonObject& part, const char* name, const nlohmann::json& value) {
  const bool fits = value.is_number_unsigned() ? value.get<std::uint64_t>() <= 0x7fffffff
                                               : value.is_number_integer() && value.get<std::int64_t>() >= 0;
  if (!fits) part.refuse(name, "a token id");
  return value.get<std::int64_t>();
}

// ["[SEP]", 102]
std::int64_t read_token(const JsonObject& part, const char* name) {
  const auto* value = part.find(name);
  if (value == nullptr || !value->is_array() || value->size() != 2) part.refuse(name, "a token and its id");
  return read_number(part, name, (*value)[1]);
}

std::vector<Template::Item> read_items(const JsonObject& part, const char* name) {
  const auto* list = part.find(name);
  if (list == nullptr || !list->is_array()) part.refuse(name, "a list");
  const auto known = part.object("special_tokens");
  std::vector<Template::Item> items;
  for (const auto& entry : *list) {
    const JsonObject item = part.inside(name, entry);
    if (const auto sequence = item.object("Sequence")) {
      const std::string id = sequence->string("id", {});
      if (id != "A" && id != "B") sequence->refuse("id", "A or B");
      items.push_back({id == "A" ? 0 : 1, {}, sequence->integer("type_id", 0, 0, 1 << 20)});
      continue;
    }
    const auto special = item.object("SpecialToken");
    if (!special) item.refuse("SpecialToken", "an object");
    const std::string id = special->string("id", {});
    const auto token = known ? known->object(id) : std::nullopt;
    const auto* ids = token ? token->find("ids") : nullptr;
    if (ids == nullptr || !ids->is_array()) special->refuse("id", "one of special_tokens, with its ids");
    Template::Item read{-1, {}, special->integer("type_id", 0, 0, 1 << 20)};
    for (const auto& number : *ids) read.ids.push_back(read_number(*token, "ids", number));
    items.push_back(std::move(read));
  }
  return items;
}

}  // namespace

std::optional<Template> read_post_processor(const JsonObject& part, int depth) {
  const std::string type = part.string("type", {});
  if (type == "ByteLevel") return {};
  if (type == "TemplateProcessing") return Template{read_items(part, "single"), read_items(part, "pair")};
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    const Template::Item cls{-1, {read_token(part, "cls")}, 0}, sep{-1, {read_token(part, "sep")}, 0};
    const std::int64_t second = type == "BertProcessing" ? 1 : 0;
    Template made{{cls, {0, {}, 0}, sep}, {cls, {0, {}, 0}, sep}};
    if (type == "RobertaProcessing") made.pair.push_back(sep);
    made.pair.push_back({1, {}, second});
    made.pair.push_back({-1, sep.ids, second});
    return made;
  }
  if (type == "Sequence") {
    const auto* list = part.find("processors");
    if (list == nullptr || !list->is_array()) part.refuse("processors", "a list");
    if (depth >= kDeepest) part.refuse("processors", "nested less deeply");
    std::optional<Template> found;
    for (const auto& stage : *list) {
      auto made = read_post_processor(part.inside("processors", stage), depth + 1);
      if (made && found) part.refuse("processors", "a list with an item that adds tokens");
      if (made) found = std::move(made);
    }
    return found;
  }
  part.refuse("type",
              "a supported post_processor: BertProcessing, ByteLevel, RobertaProcessing, Sequence, "
              "TemplateProcessing");
}

}  // namespace gradus::text
