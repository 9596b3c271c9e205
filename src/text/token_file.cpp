#include "text/token_file.h"

#include <filesystem>

#include "text/json_file.h"

namespace gradus::text {

std::vector<std::int64_t> ends_of_texts(const std::string& folder, const Tokenizer& tokenizer) {
  for (const char* name : {"generation_config.json", "config.json"}) {
    const std::filesystem::path path = std::filesystem::path(folder) / name;
    std::error_code error;
    if (!std::filesystem::exists(path, error)) continue;
    const JsonObject config = JsonObject::read(path.string());
    const auto* value = config.find("eos_token_id");
    if (value == nullptr) continue;
    std::vector<std::int64_t> ends;
    for (const auto& id : value->is_array() ? *value : nlohmann::json::array({*value})) {
      if (!id.is_number_unsigned() || id.get<std::uint64_t>() > 0x7fffffff)
        config.refuse("eos_token_id", "a token id, or a list of them");
      ends.push_back(id.get<std::int64_t>());
    }
    return ends;
  }
  if (const auto end = tokenizer.eos_token_id()) return {*end};
  return {};
}

std::vector<std::int64_t> read_texts(const std::string& file,
                                     const std::function<std::vector<std::int64_t>(const std::string& text)>& add) {
  const std::string text = read_text(file, std::uint64_t{4} << 30);
  std::vector<std::int64_t> all;
  const auto take = [&](const std::string& part) {
    if (part.find_first_not_of(" \t\r\n") == part.npos) return;
    const std::vector<std::int64_t> ids = add(part);
    all.insert(all.end(), ids.begin(), ids.end());
  };
  std::size_t begin = 0;
  for (std::size_t gap = text.find("\n\n"); gap != text.npos; gap = text.find("\n\n", begin)) {
    take(text.substr(begin, gap + 1 - begin));
    begin = gap + 2;
  }
  take(text.substr(begin));
  return all;
}

}  // namespace gradus::text
