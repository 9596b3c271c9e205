// Texts of a file as token numbers.
#pragma once

#include <gradus/text/tokenizer.h>

#include <functional>
#include <string>
#include <vector>

namespace gradus::text {

// The numbers with which a text ends: eos_token_id of a folder's generation_config.json or config.json, else the
// tokenizer's. IoError where a file says something else.
std::vector<std::int64_t> ends_of_texts(const std::string& folder, const Tokenizer& tokenizer);

// The texts of a file, which empty lines part, one after the other. `add` makes numbers of each.
std::vector<std::int64_t> read_texts(const std::string& file,
                                     const std::function<std::vector<std::int64_t>(const std::string& text)>& add);

}  // namespace gradus::text
