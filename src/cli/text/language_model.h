// A folder of the Hub's with a decoder and its tokenizer, as the commands use it.
#pragma once

#include <gradus/models/generation.h>
#include <gradus/text/tokenizer.h>

#include <memory>
#include <string>
#include <vector>

namespace gradus::cli {

struct LanguageModel {
  text::Tokenizer tokenizer;
  std::shared_ptr<models::CausalLM> net;
  std::vector<std::int64_t> ends;  // tokens with which a text ends

  // IoError, naming file, field and value.
  static LanguageModel load(const std::string& folder);
  // Numbers of a text that fit the network: ValueError where the tokenizer is of another.
  std::vector<std::int64_t> encode(const std::string& text, bool add_special_tokens = true) const;
};

// The texts of a file, which empty lines part, one after the other: each with what ends a text, if the model has that.
std::vector<std::int64_t> read_tokens(const LanguageModel& model, const std::string& file);

// The tokenizer's files, from one folder to another.
void copy_tokenizer(const std::string& from, const std::string& to);

}  // namespace gradus::cli
