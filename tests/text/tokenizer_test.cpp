// Tokenizers against `tokenizers` and `sentencepiece` (tests/fixtures/make_tokenizers.py), and files that are refused.
#include <gradus/core/error.h>
#include <gradus/text/tokenizer.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>

#include "support/message.h"
#include "support/paths.h"
#include "support/temp_folder.h"

namespace gradus {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using text::Tokenizer;

std::string folder(const std::string& name) { return test::source_path("tests/fixtures/text/tokenizer_" + name); }

std::string hash(const std::string& text) {
  std::uint64_t h = 0xCBF29CE484222325;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  char out[17];
  std::snprintf(out, sizeof out, "%016llx", static_cast<unsigned long long>(h));
  return out;
}

std::string from_base64(const std::string& text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = (bits << 6) | static_cast<unsigned>(digits.find(c));
    count += 6;
    if (count >= 8) out += static_cast<char>((bits >> (count -= 8)) & 0xff);
  }
  return out;
}

std::string numbers(const std::vector<std::int64_t>& ids) {
  std::string out;
  for (const std::int64_t id : ids) out += (out.empty() ? "" : " ") + std::to_string(id);
  return out;
}

const json& fixture() {
  static const json all = json::parse(std::ifstream(test::source_path("tests/fixtures/text/tokenizers.json")));
  return all;
}

class Tokenizers : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(All, Tokenizers,
                         testing::Values("gpt2", "llama3", "llama2", "bert", "bert_cased", "metaspace", "unigram",
                                         "unigram_bytes", "sentencepiece"));

TEST_P(Tokenizers, MakeOfOddLinesWhatTheOthersMake) {
  const Tokenizer tokenizer = Tokenizer::from_pretrained(folder(GetParam()));
  const json& lines = fixture()["lines"];
  const json& expected = fixture()["expected"][GetParam()];
  ASSERT_EQ(expected.size(), lines.size());
  ASSERT_GT(lines.size(), 250U);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string line = from_base64(lines[i].get<std::string>());
    const std::vector<std::int64_t> ids = tokenizer.encode(line).ids;
    EXPECT_EQ(expected[i][0], hash(numbers(ids))) << i << ": " << line << ": " << numbers(ids);
    EXPECT_EQ(expected[i][1], hash(tokenizer.decode(ids))) << i << ": " << line;
    EXPECT_EQ(expected[i][2], hash(tokenizer.decode(ids, true))) << i << ": " << line;
  }
}

TEST_P(Tokenizers, KnowTheirTokens) {
  const Tokenizer tokenizer = Tokenizer::from_pretrained(folder(GetParam()));
  for (const std::int64_t id : {0, 5, 100}) {
    const auto token = tokenizer.id_to_token(id);
    ASSERT_TRUE(token) << id;
    EXPECT_EQ(tokenizer.token_to_id(*token), id);
  }
  EXPECT_GT(tokenizer.vocab_size(), 100);
  EXPECT_FALSE(tokenizer.id_to_token(tokenizer.vocab_size()));
  EXPECT_FALSE(tokenizer.id_to_token(-1));
  EXPECT_FALSE(tokenizer.token_to_id("no such token"));
  const std::vector<std::int64_t> odd{-1, 1 << 30, std::numeric_limits<std::int64_t>::max()};
  EXPECT_EQ(tokenizer.decode(odd), "") << "numbers of no token";
}

TEST(TokenizerTest, ReadsTheFilesOfGPT2AndBERTAlone) {
  for (const char* name : {"gpt2", "bert"}) {
    const Tokenizer whole = Tokenizer::from_pretrained(folder(name));
    const Tokenizer parts = Tokenizer::from_pretrained(folder(std::string(name) + "_files"));
    for (const char* line : {"Hello  world, don't", "naïve Straße 你好 123", " [MASK] x<|endoftext|>y", ""})
      EXPECT_EQ(parts.encode(line).ids, whole.encode(line).ids) << name << " " << line;
  }
  const Tokenizer gpt2 = Tokenizer::from_pretrained(folder("gpt2_files"));
  EXPECT_EQ(gpt2.eos_token_id(), 0);
  const Tokenizer bert = Tokenizer::from_pretrained(folder("bert_files"));
  EXPECT_EQ(bert.pad_token_id(), 0);
  EXPECT_EQ(bert.special_id("mask_token"), 4);
}

TEST(TokenizerTest, PutsPairsTogetherAndCutsThem) {
  const Tokenizer bert = Tokenizer::from_pretrained(folder("bert"));
  const text::Encoding pair = bert.encode("the word", "people");
  EXPECT_EQ(pair.ids.front(), 2);
  EXPECT_EQ(pair.ids.back(), 3);
  EXPECT_EQ(pair.type_ids.front(), 0);
  EXPECT_EQ(pair.type_ids.back(), 1);
  EXPECT_EQ(std::count(pair.ids.begin(), pair.ids.end(), 3), 2);
  const std::string longer = "the of and a to in is you that it";
  const auto size = [&](std::int64_t most) { return bert.encode(longer, "he was", {.max_length = most}).ids.size(); };
  EXPECT_EQ(bert.encode(longer, {.max_length = 5}).ids.size(), 5U);
  EXPECT_EQ(bert.encode(longer, {.max_length = 5}).ids.back(), 3);
  EXPECT_EQ(size(8), 8U);
  EXPECT_EQ(size(4), 4U);
  EXPECT_EQ(size(3), 3U);
  EXPECT_THROW(size(2), ValueError);
  EXPECT_THROW(bert.encode("a", {.max_length = 1}), ValueError);
  EXPECT_EQ(bert.encode("the", {.add_special_tokens = false}).ids.size(), 1U);
  EXPECT_EQ(bert.encode("the", "of", {.add_special_tokens = false}).type_ids, (std::vector<std::int64_t>{0, 1}));
}

TEST(TokenizerTest, TakesTimeInProportionToALongWord) {
  const Tokenizer gpt2 = Tokenizer::from_pretrained(folder("gpt2"));
  const std::string word(300'000, 'a');
  const std::vector<std::int64_t> ids = gpt2.encode(word).ids;
  EXPECT_EQ(gpt2.decode(ids), word);
}

TEST(TokenizerTest, TakesRolesFromItsConfiguration) {
  const test::TempFolder temporary;
  fs::copy(folder("llama3"), temporary / "t");
  std::ofstream(temporary / "t/tokenizer_config.json")
      << R"({"bos_token": {"content": "<|begin_of_text|>"}, "eos_token": "<|endoftext|>", "pad_token": null})";
  const Tokenizer tokenizer = Tokenizer::from_pretrained(temporary / "t");
  EXPECT_EQ(tokenizer.bos_token_id(), 0);
  EXPECT_EQ(tokenizer.eos_token_id(), 1);
  EXPECT_FALSE(tokenizer.pad_token_id());
}

// --- files that are damaged, of another kind, or hostile -------------------------------------------------------------

std::string error_of(const std::string& path) {
  return test::message_of<IoError>([&] { Tokenizer::from_pretrained(path); });
}

struct Edited {
  test::TempFolder temporary;
  std::string path, file;
  explicit Edited(const std::string& name) : path(temporary / "t"), file(path + "/tokenizer.json") {
    fs::copy(folder(name), path);
  }
  json read() const { return json::parse(std::ifstream(file)); }
  void write(const json& value) const { std::ofstream(file) << value.dump(); }
};

TEST(TokenizerFiles, NameWhatIsWrong) {
  const struct {
    const char *name, *place;
    json value;
    const char* words;
  } cases[] = {
      {"gpt2", "/model", nullptr, "model is missing"},
      {"gpt2", "/model/type", "WordLevel", "got \"WordLevel\""},
      {"gpt2", "/model/vocab", json::array(), "model.vocab must be an object"},
      {"gpt2", "/model/vocab/a", -1, "model.vocab.a must be an integer from 0 to 2147483647, got -1"},
      {"gpt2", "/model/vocab/a", 4294967296, "got 4294967296"},
      {"gpt2", "/model/vocab/a", "b", "got \"b\""},
      {"gpt2", "/model/merges", 3, "model.merges must be a list, got 3"},
      {"gpt2", "/model/merges/0", "one", "must hold pairs, got 'one'"},
      {"gpt2", "/model/merges/0", json{"zz", "yy"}, "model.vocab lacks 'zz'"},
      {"gpt2", "/model/merges/0", json{1, 2}, "must hold pairs"},
      {"gpt2", "/model/unk_token", "none", "model.unk_token"},
      {"gpt2", "/model/dropout", 0.5, "model.dropout"},
      {"gpt2", "/pre_tokenizer/type", "Magic", "pre_tokenizer.type must be a supported pre_tokenizer"},
      {"gpt2", "/pre_tokenizer", 5, "pre_tokenizer must be an object, got 5"},
      {"gpt2", "/decoder/type", "Magic", "decoder.type"},
      {"gpt2", "/added_tokens", 1, "added_tokens must be a list"},
      {"gpt2", "/added_tokens/0/id", -5, "added_tokens.id must be an integer from 0"},
      {"gpt2", "/added_tokens/0/content", 5, "added_tokens.content must be a string"},
      {"llama3", "/pre_tokenizer/pretokenizers/0/pattern/Regex", "(((", "is not a valid regular expression"},
      {"llama3", "/pre_tokenizer/pretokenizers/0/behavior", "Sometimes", "behavior"},
      {"llama3", "/post_processor/processors/1/single/0/SpecialToken/id", "x", "one of special_tokens"},
      {"llama3", "/post_processor/processors/1/special_tokens/<|begin_of_text|>/ids/0", -1, "a token id"},
      {"llama2", "/normalizer/normalizers/1/pattern", "x", "pattern must be an object"},
      {"llama2", "/decoder/decoders/3/content", "", "a character"},
      {"bert", "/model/unk_token", "none", "model.unk_token must be a token of vocab, got \"none\""},
      {"bert", "/model/max_input_chars_per_word", 0, "max_input_chars_per_word"},
      {"bert", "/normalizer/lowercase", "yes", "normalizer.lowercase must be true or false"},
      {"bert", "/normalizer/type", "Nmt", "got \"Nmt\""},
      {"unigram", "/model/unk_id", 100000, "unk_id must be"},
      {"unigram", "/model/unk_id", -1, "unk_id must be"},
      {"unigram", "/model/vocab", json::array(), "vocab must be a list of tokens with scores"},
      {"unigram", "/model/vocab/2/1", "x", "vocab: token 2 must be a text and its score"},
      {"unigram", "/model/byte_fallback", 1, "byte_fallback must be true or false"},
      {"unigram_bytes", "/normalizer/normalizers/0/precompiled_charsmap", "/////w==", "is damaged"},
      {"unigram_bytes", "/normalizer/normalizers/0/precompiled_charsmap", "", "is damaged"},
      {"unigram_bytes", "/normalizer/normalizers/0/precompiled_charsmap", "a-b", "must be base64"},
  };
  for (const auto& [name, place, value, words] : cases) {
    const Edited edited(name);
    json content = edited.read();
    content[json::json_pointer(place)] = value;
    edited.write(content);
    const std::string error = error_of(edited.path);
    EXPECT_TRUE(error.starts_with(edited.file)) << place << ": " << error;
    EXPECT_NE(error.find(words), std::string::npos) << place << ": " << error;
  }
}

TEST(TokenizerFiles, OfUnigramMayLackATokenForWhatIsNotKnown) {
  const Edited edited("unigram");
  json content = edited.read();
  content["model"].erase("unk_id");
  edited.write(content);
  const auto tokenizer = text::Tokenizer::from_pretrained(edited.path);
  EXPECT_GT(tokenizer.encode("the people").ids.size(), 1U);
  EXPECT_THROW(tokenizer.encode("\xF0\x9F\x99\x82"), ValueError);
}

// Whatever the map of characters holds, reading and using it ends well.
TEST(TokenizerFiles, OfPrecompiledNormalizersMayBeDamaged) {
  const Edited edited("unigram_bytes");
  const json content = edited.read();
  const std::string text = "the people \xEF\xAC\x81 \xC2\xBD \xEF\xBC\xA1 \xEF\xBD\xB6\xEF\xBE\x9E e\xCC\x81";
  const auto whole = text::Tokenizer::from_pretrained(edited.path).encode(text).ids;
  std::mt19937 source(1);
  int changed = 0;
  for (int i = 0; i < 200; ++i) {
    json damaged = content;
    auto& map = damaged["normalizer"]["normalizers"][0]["precompiled_charsmap"];
    std::string bytes = map.get<std::string>();
    for (int k = 0; k < 20; ++k)
      bytes[4 + source() % (bytes.size() - 8)] = "ABCDwxyz0189+/"[source() % 14];  // its length stays
    map = bytes;
    edited.write(damaged);
    try {
      changed += text::Tokenizer::from_pretrained(edited.path).encode(text).ids != whole ? 1 : 0;
    } catch (const Error&) {
      ++changed;
    }
  }
  EXPECT_GT(changed, 10);
}

TEST(TokenizerFiles, OfOtherKindsAreRefused) {
  const test::TempFolder temporary;
  EXPECT_NE(error_of(temporary / "none").find("need a folder"), std::string::npos);
  EXPECT_NE(error_of(temporary.path()).find("no tokenizer: need tokenizer.json"), std::string::npos);
  const std::string file = temporary / "tokenizer.json";
  for (const std::string& content : {std::string("{"), std::string("[]"), std::string("{}"), std::string("\xff\xfe"),
                                     std::string(100'000, '['), std::string(R"({"model": {}})")}) {
    std::ofstream(file) << content;
    EXPECT_NE(error_of(temporary.path()).find(file), std::string::npos) << content.substr(0, 20);
  }
  // Parts within parts within parts.
  json deep{{"type", "NFC"}};
  for (int i = 0; i < 300; ++i) deep = json{{"type", "Sequence"}, {"normalizers", json::array({deep})}};
  std::ofstream(file) << json{{"normalizer", deep}, {"model", json::object()}}.dump();
  EXPECT_NE(error_of(temporary.path()).find("nested less deeply"), std::string::npos) << error_of(temporary.path());
}

TEST(TokenizerFiles, OfSentencePieceAreChecked) {
  const test::TempFolder temporary;
  const std::string file = temporary / "tokenizer.model",
                    whole = test::file_bytes(folder("sentencepiece") + "/tokenizer.model");
  int refused = 0;
  for (std::size_t cut : {std::size_t{0}, std::size_t{1}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    test::put_file(file, whole.substr(0, cut));
    refused += error_of(temporary.path()).find(file) != std::string::npos ? 1 : 0;
  }
  EXPECT_GE(refused, 3);  // a file that ends between two fields is whole to protobuf
  test::put_file(file, "not a model at all");
  EXPECT_NE(error_of(temporary.path()).find("not a model of SentencePiece"), std::string::npos);
}

TEST(TokenizerFiles, MakeNoLongTextOfAShortOne) {
  const Edited edited("llama2");
  json content = edited.read();
  json stages = json::array();
  for (int i = 0; i < 12; ++i)
    stages.push_back({{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", std::string(100, 'a')}});
  content["normalizer"] = {{"type", "Sequence"}, {"normalizers", stages}};
  edited.write(content);
  const Tokenizer tokenizer = Tokenizer::from_pretrained(edited.path);
  EXPECT_THROW(tokenizer.encode("a"), ValueError);
}

TEST(TokenizerFiles, StagesThatGrowWithEachOtherAreEnded) {
  const Edited edited("llama3");
  const json content = edited.read();
  json doubles = json::array(), bytes = json::array();
  for (int i = 0; i < 40; ++i) {
    doubles.push_back({{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}});
    bytes.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}});
  }
  json longer = content;
  longer["decoder"] = {{"type", "Sequence"}, {"decoders", doubles}};
  edited.write(longer);
  const Tokenizer decodes = Tokenizer::from_pretrained(edited.path);
  EXPECT_THROW(decodes.decode(decodes.encode("a").ids), ValueError);

  longer = content;
  longer["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", bytes}};
  edited.write(longer);
  EXPECT_THROW(Tokenizer::from_pretrained(edited.path).encode("\u00e9"), ValueError);

  longer = content;
  longer["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", std::string(1000, '_')}};
  edited.write(longer);
  EXPECT_NE(error_of(edited.path).find("pre_tokenizer.replacement must be one character"), std::string::npos)
      << error_of(edited.path);
}

TEST(TokenizerFiles, OfBracketsAloneAreRefused) {
  const Edited edited("gpt2");
  json content = edited.read();
  content["model"]["merges"] = "here";
  std::string text = content.dump();
  const std::string deep = "[" + std::string(500'000, '[') + std::string(500'000, ']') + "]";
  text.replace(text.find("\"here\""), 6, deep);
  std::ofstream(edited.file) << text;
  EXPECT_NE(error_of(edited.path).find("are nested more than 1000 deep"), std::string::npos);
  content["model"]["merges"] = json::array({json::array({"a", json::array({"b"})})});
  edited.write(content);
  EXPECT_NE(error_of(edited.path).find("model.merges must hold pairs, got a list of 2"), std::string::npos);
}

TEST(TokenizerFiles, MayHaveTokensWithAZeroByte) {
  const Edited edited("bert");
  json content = edited.read();
  const std::string zero("x\0y", 3);
  content["model"]["vocab"][zero] = 77777;
  edited.write(content);
  EXPECT_EQ(Tokenizer::from_pretrained(edited.path).token_to_id(zero), 77777);
}

TEST(TokenizerFiles, RegularExpressionsThatTakeForeverAreEnded) {
  const Edited edited("llama3");
  json content = edited.read();
  content["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "(a+)+$";
  edited.write(content);
  const Tokenizer tokenizer = Tokenizer::from_pretrained(edited.path);
  EXPECT_THROW(tokenizer.encode(std::string(60, 'a') + "b"), ValueError);
}

}  // namespace
}  // namespace gradus
