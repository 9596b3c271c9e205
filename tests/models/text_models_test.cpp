// The language models against transformers (tests/fixtures/make_text_models.py): what they compute, their gradients,
// what they load and write, and what is refused.
#include <gradus/autograd.h>
#include <gradus/io/load.h>
#include <gradus/io/safetensors.h>
#include <gradus/models/pretrained.h>
#include <gradus/nn/functional.h>
#include <gradus/random.h>

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/message.h"
#include "support/paths.h"
#include "support/temp_folder.h"

namespace gradus {
namespace {

namespace fs = std::filesystem;
namespace F = nn::functional;
using nlohmann::json;

std::string fixture(const std::string& name) { return test::source_path("tests/fixtures/text/" + name); }

nn::StateDict expected(const std::string& name) { return io::load_state_dict(fixture(name) + "/expected.safetensors"); }

void expect_close(const Tensor& given, const Tensor& wanted, double tolerance, const std::string& what) {
  ASSERT_EQ(given.sizes(), wanted.sizes()) << what;
  const double off = (given.detach().to(kFloat64) - wanted.to(kFloat64)).abs().max().item();
  EXPECT_LE(off, tolerance) << what;
}

class Decoders : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(All, Decoders, testing::Values("gpt2", "llama", "mistral", "qwen2"));

TEST_P(Decoders, ComputeWhatTransformersComputes) {
  const nn::StateDict want = expected(GetParam());
  const auto net = models::causal_lm_from_pretrained(fixture(GetParam()));
  EXPECT_FALSE(net->is_training());
  {
    NoGrad guard;
    expect_close((*net)(want.at("input_ids")), want.at("logits32"), 1e-4, "float32");
  }
  const auto exact = models::causal_lm_from_pretrained(fixture(GetParam()), {.dtype = kFloat64});
  expect_close((*exact)(want.at("input_ids")), want.at("logits"), 1e-8, "float64");

  const Tensor logits = (*exact)(want.at("input_ids"), {.attention_mask = want.at("attention_mask")});
  const Tensor loss = models::causal_lm_loss(logits, want.at("labels"));
  EXPECT_NEAR(loss.item(), want.at("loss").item(), 1e-8);
  loss.backward();
  int gradients = 0;
  for (const auto& [name, p] : exact->named_parameters()) {
    if (!want.contains("grad." + name)) continue;
    ++gradients;
    expect_close(p.grad(), want.at("grad." + name), 1e-8, name);
  }
  EXPECT_EQ(gradients, std::string(GetParam()) == "qwen2"   ? 0
                       : std::string(GetParam()) == "llama" ? 4
                       : std::string(GetParam()) == "gpt2"  ? 3
                                                            : 2);
}

TEST_P(Decoders, ContinueFromACacheAsIfAllWereNew) {
  NoGrad guard;
  const auto net = models::causal_lm_from_pretrained(fixture(GetParam()), {.dtype = kFloat64});
  const Tensor ids = expected(GetParam()).at("input_ids");
  const Tensor all = (*net)(ids);
  models::KVCache cache;
  std::int64_t done = 0;
  for (const std::int64_t count : {3, 1, 1, 4, 2}) {  // single positions and several, across a window's edge
    const Tensor part = (*net)(narrow(ids, 1, done, count), {.cache = &cache});
    expect_close(part, narrow(all, 1, done, count), 1e-10, std::to_string(done));
    done += count;
  }
  EXPECT_EQ(cache.length(), 11);
  EXPECT_THROW((*net)(narrow(ids, 0, 0, 1), {.cache = &cache}), Error) << "another batch";
  EXPECT_EQ(cache.length(), 11);
  EXPECT_THROW((*net)(ids, {.position_ids = ids.to_double()}), DtypeError);
  const Tensor last = (*net)(ids, {.last_only = true});
  expect_close(last, narrow(all, 1, 10, 1), 0, "last_only");
}

TEST_P(Decoders, ContinueFromCopiesOfACacheEachForItself) {
  NoGrad guard;
  const auto net = models::causal_lm_from_pretrained(fixture(GetParam()), {.dtype = kFloat64});
  const Tensor ids = tensor<std::int64_t>({{3, 1, 4, 1, 5, 9}});
  models::KVCache cache;
  for (const std::int64_t at : {0, 1, 2}) (*net)(narrow(ids, 1, at, 1), {.cache = &cache});
  models::KVCache other = cache;
  (*net)(narrow(ids, 1, 3, 1), {.cache = &cache});
  (*net)(tensor<std::int64_t>({{7}}), {.cache = &other});  // a branch, as in a beam search
  const Tensor next = (*net)(narrow(ids, 1, 4, 1), {.cache = &cache});
  expect_close(next, narrow((*net)(narrow(ids, 1, 0, 5)), 1, 4, 1), 1e-10, "the first");
}

TEST(KVCacheTest, RefusesWhatIsNotOneLayersKeysAndValues) {
  models::KVCache cache;
  EXPECT_THROW(cache.update(0, randn({2, 3}), randn({2, 3})), ShapeError);
  EXPECT_THROW(cache.update(0, randn({1, 2, 3, 4}), randn({1, 2, 1, 4})), ShapeError);
  EXPECT_EQ(cache.update(0, randn({1, 2, 3, 4}), randn({1, 2, 3, 5})).second.sizes(), (Shape{1, 2, 3, 5}));
}

TEST_P(Decoders, LetFilledPositionsTakeNoPart) {
  NoGrad guard;
  const auto net = models::causal_lm_from_pretrained(fixture(GetParam()), {.dtype = kFloat64});
  const Tensor ids = tensor<std::int64_t>({{0, 0, 5, 6, 7}}), mask = tensor<std::int64_t>({{0, 0, 1, 1, 1}});
  const Tensor positions = tensor<std::int64_t>({{0, 0, 0, 1, 2}});
  const Tensor y = (*net)(ids, {.attention_mask = mask, .position_ids = positions});
  expect_close(narrow(y, 1, 2, 3), (*net)(tensor<std::int64_t>({{5, 6, 7}})), 1e-10, "filled on the left");
}

TEST_P(Decoders, ComeBackFromTheirOwnFiles) {
  const test::TempFolder folder;
  const auto net = models::causal_lm_from_pretrained(fixture(GetParam()));
  models::save_pretrained(*net, (folder / "saved"));
  const auto again = models::causal_lm_from_pretrained((folder / "saved"));
  const Tensor ids = expected(GetParam()).at("input_ids");
  expect_close((*again)(ids), (*net)(ids), 0, "the same bits");
  EXPECT_EQ(again->to_string(), net->to_string());
  const auto config = json::parse(std::ifstream((folder / "saved/config.json")));
  EXPECT_EQ(config["model_type"], GetParam());
  EXPECT_EQ(config["dtype"], "float32");
  net->to(kBFloat16);
  models::save_pretrained(*net, (folder / "saved"));
  EXPECT_EQ(json::parse(std::ifstream((folder / "saved/config.json")))["dtype"], "bfloat16");
}

TEST_P(Decoders, RefuseOtherInputs) {
  const auto net = models::causal_lm_from_pretrained(fixture(GetParam()));
  EXPECT_THROW((*net)(tensor<std::int64_t>({{61}})), IndexError);
  EXPECT_THROW((*net)(tensor<std::int64_t>({{-1}})), IndexError);
  EXPECT_THROW((*net)(tensor<std::int64_t>({1, 2})), ShapeError);
  EXPECT_THROW((*net)(zeros({1, 0}, {.dtype = kInt64})), ShapeError);
  EXPECT_THROW((*net)(ones({1, 2})), DtypeError);
  EXPECT_THROW((*net)(ones({1, 2}, {.dtype = kInt64}), {.attention_mask = ones({1, 3})}), ShapeError);
}

TEST(GPT2Test, RefusesPositionsBeyondItsEmbedding) {
  auto net = models::from_pretrained<models::GPT2>(fixture("gpt2"));
  EXPECT_THROW(net(zeros({1, 25}, {.dtype = kInt64})), IndexError);
}

TEST(GPT2Test, StartsAsTransformersStartsIt) {
  manual_seed(1);
  const models::GPT2 net({.vocab_size = 500, .n_positions = 64, .n_embd = 64, .n_layer = 8, .n_head = 4});
  const nn::StateDict dict = net.state_dict();
  EXPECT_NEAR(dict.at("transformer.wte.weight").std().item(), 0.02, 1e-3);
  EXPECT_NEAR(dict.at("transformer.h.3.mlp.c_proj.weight").std().item(), 0.02 / 4, 3e-4);
  EXPECT_EQ(dict.at("transformer.h.3.attn.c_attn.bias").abs().max().item(), 0);
  EXPECT_EQ(dict.at("lm_head.weight").const_data_ptr(), dict.at("transformer.wte.weight").const_data_ptr()) << "tied";
  EXPECT_THROW(models::GPT2({.n_embd = 10, .n_head = 4}), ValueError);
  EXPECT_THROW(models::GPT2({.n_layer = 0}), ValueError);
  EXPECT_THROW(models::GPT2({.activation_function = "gelo"}), ValueError);
}

TEST(LlamaTest, ChecksItsOptions) {
  const models::LlamaOptions small{
      .vocab_size = 10, .hidden_size = 8, .intermediate_size = 8, .num_hidden_layers = 1, .num_attention_heads = 2};
  models::LlamaOptions o = small;
  o.num_key_value_heads = 3;
  EXPECT_THROW(models::Llama{o}, ValueError);
  o = small;
  o.head_dim = 3;
  EXPECT_THROW(models::Llama{o}, ValueError);
  o = small;
  o.rope.rope_type = "yarn";
  EXPECT_THROW(models::Llama{o}, ValueError);
  const test::TempFolder folder;
  for (const auto& [attention, output, mlp] : {std::array{true, false, true}, std::array{false, true, false}}) {
    o = small;
    o.attention_bias = attention;
    o.attention_output_bias = output;
    o.mlp_bias = mlp;
    EXPECT_THROW(models::save_pretrained(models::Llama(o), folder.path()), ValueError) << "no file can say so";
  }
}

TEST(BERTTest, ComputesWhatTransformersComputes) {
  const nn::StateDict want = expected("bert");
  const models::BERTInputs inputs{.attention_mask = want.at("attention_mask"),
                                  .token_type_ids = want.at("token_type_ids")};
  auto net = models::from_pretrained<models::BERT>(fixture("bert"));
  auto exact = models::from_pretrained<models::BERT>(fixture("bert"), {.dtype = kFloat64});
  const models::BERTOutput y = net(want.at("input_ids"), inputs), z = exact(want.at("input_ids"), inputs);
  expect_close(y.last_hidden_state, want.at("last_hidden_state32"), 1e-4, "float32");
  expect_close(y.pooler_output, want.at("pooler_output32"), 1e-4, "float32");
  expect_close(z.last_hidden_state, want.at("last_hidden_state"), 1e-8, "float64");
  expect_close(z.pooler_output, want.at("pooler_output"), 1e-8, "float64");
}

// Logits, loss and gradients of a class with a head.
template <class Model>
void expect_head(const std::string& name) {
  const nn::StateDict want = expected(name);
  const models::BERTInputs inputs{.attention_mask = want.at("attention_mask"),
                                  .token_type_ids = want.at("token_type_ids")};
  auto net = models::from_pretrained<Model>(fixture(name));
  expect_close(net(want.at("input_ids"), inputs), want.at("logits32"), 1e-4, name + " float32");
  auto exact = models::from_pretrained<Model>(fixture(name), {.dtype = kFloat64});
  const Tensor logits = exact(want.at("input_ids"), inputs);
  expect_close(logits, want.at("logits"), 1e-8, name + " float64");
  const Tensor loss = F::cross_entropy(reshape(logits, {-1, logits.size(-1)}), reshape(want.at("labels"), {-1}));
  EXPECT_NEAR(loss.item(), want.at("loss").item(), 1e-8);
  loss.backward();
  int gradients = 0;
  for (const auto& [parameter, p] : exact.named_parameters()) {
    if (!want.contains("grad." + parameter)) continue;
    ++gradients;
    expect_close(p.grad(), want.at("grad." + parameter), 1e-8, parameter);
  }
  EXPECT_GE(gradients, 2);
}

TEST(BERTTest, HeadsComputeWhatTransformersComputes) {
  expect_head<models::BERTForSequenceClassification>("bert_classifier");
  expect_head<models::BERTForMaskedLM>("bert_mlm");
}

TEST(BERTTest, TakesTheBodyOfAnotherTask) {
  const Tensor ids = expected("bert_classifier").at("input_ids");
  auto classifier = models::from_pretrained<models::BERTForSequenceClassification>(fixture("bert_classifier"));
  auto body = models::from_pretrained<models::BERT>(fixture("bert_classifier"));
  expect_close(body(ids), classifier.bert(ids), 0, "the body alone");
  // A new head of another size; what the folder has stays in the body.
  auto other =
      models::from_pretrained<models::BERTForSequenceClassification>(fixture("bert_classifier"), {.num_labels = 5});
  EXPECT_EQ(other(ids).sizes(), (Shape{2, 5}));
  expect_close(other.bert(ids), classifier.bert(ids), 0, "the body under a new head");
  auto tokens = models::from_pretrained<models::BERTForTokenClassification>(fixture("bert"));
  EXPECT_EQ(tokens(expected("bert").at("input_ids")).sizes(), (Shape{2, 9, 2}));
  auto unpooled = models::from_pretrained<models::BERT>(fixture("bert_mlm"));
  EXPECT_FALSE(unpooled(ids, {}).pooler_output.defined());
  EXPECT_THROW(models::from_pretrained<models::BERTForMaskedLM>(fixture("bert")), IoError) << "its head is not there";
}

TEST(BERTTest, IsChosenByItsArchitecture) {
  EXPECT_NE(models::from_pretrained(fixture("bert"))->as<models::BERT>(), nullptr);
  EXPECT_NE(models::from_pretrained(fixture("bert_mlm"))->as<models::BERTForMaskedLM>(), nullptr);
  EXPECT_NE(models::from_pretrained(fixture("bert_classifier"))->as<models::BERTForSequenceClassification>(), nullptr);
  EXPECT_NE(models::from_pretrained(fixture("mistral"))->as<models::Llama>(), nullptr);
}

TEST(BERTTest, MeanPoolingLeavesFilledPositionsOut) {
  const Tensor hidden = reshape(arange(12.0), {2, 3, 2});
  const Tensor y = models::mean_pooling(hidden, tensor<std::int64_t>({{1, 1, 0}, {0, 0, 1}}));
  EXPECT_EQ(y.to_vector<double>(), (std::vector<double>{1, 2, 10, 11}));
  EXPECT_THROW(models::mean_pooling(hidden, ones({2, 2})), ShapeError);
}

TEST(BERTTest, RefusesOtherInputs) {
  auto net = models::from_pretrained<models::BERT>(fixture("bert"));
  EXPECT_THROW(net(zeros({1, 25}, {.dtype = kInt64})), ShapeError);
  EXPECT_THROW(net(full({1, 2}, 61, {.dtype = kInt64})), IndexError);
  EXPECT_THROW(net(zeros({1, 2}, {.dtype = kInt64}), {.token_type_ids = full({1, 2}, 2, {.dtype = kInt64})}),
               IndexError);
  EXPECT_THROW(net(zeros({1, 2}, {.dtype = kInt64}), {.attention_mask = ones({1, 3})}), ShapeError);
}

// --- folders that are incomplete, of another kind, or hostile --------------------------------------------------------

struct Folder {
  test::TempFolder temporary;
  std::string path;
  explicit Folder(const std::string& name) : path(temporary / "model") { fs::copy(fixture(name), path); }
  void set(const std::string& field, const json& value) {
    json config = json::parse(std::ifstream(path + "/config.json"));
    config[field] = value;
    std::ofstream(path + "/config.json") << config.dump();
  }
};

std::string error_of(const std::string& folder) {
  return test::message_of<IoError>([&] { models::from_pretrained(folder); });
}

TEST(Pretrained, NamesFileFieldAndValueOfAWrongConfiguration) {
  const struct {
    const char *name, *field;
    json value;
  } cases[] = {
      {"gpt2", "vocab_size", 62},
      {"gpt2", "vocab_size", 2000000000},
      {"gpt2", "vocab_size", 99999999999999},
      {"gpt2", "vocab_size", "61"},
      {"gpt2", "vocab_size", -1},
      {"gpt2", "vocab_size", 18446744073709551615ULL},
      {"gpt2", "n_layer", 1},
      {"gpt2", "n_layer", 2147483647},
      {"gpt2", "n_embd", 2147483644},
      {"gpt2", "n_head", 3},
      {"gpt2", "n_head", 0},
      {"gpt2", "n_positions", 23},
      {"gpt2", "n_inner", 65},
      {"gpt2", "activation_function", "gelu_newer"},
      {"gpt2", "resid_pdrop", 1.5},
      {"gpt2", "resid_pdrop", json::array()},
      {"gpt2", "add_cross_attention", true},
      {"gpt2", "tie_word_embeddings", 1},
      {"gpt2", "model_type", "t5"},
      {"gpt2", "model_type", nullptr},
      {"llama", "num_key_value_heads", 3},
      {"llama", "num_key_value_heads", 4},
      {"llama", "head_dim", 7},
      {"llama", "head_dim", 1 << 30},
      {"llama", "hidden_size", 17},
      {"llama", "intermediate_size", 27},
      {"llama", "num_hidden_layers", 3},
      {"llama", "rms_norm_eps", "small"},
      {"llama", "rope_parameters", json{{"rope_type", "yarn"}}},
      {"llama", "rope_parameters", 3},
      {"llama", "quantization_config", json::object()},
      {"mistral", "sliding_window", 0},
      {"bert", "hidden_size", 20},
      {"bert", "max_position_embeddings", 25},
      {"bert", "type_vocab_size", 1},
      {"bert", "is_decoder", true},
      {"bert", "pad_token_id", 61},
      {"bert", "architectures", "BertModel"},
  };
  for (const auto& [name, field, value] : cases) {
    Folder folder(name);
    folder.set(field, value);
    const std::string error = error_of(folder.path);
    EXPECT_NE(error.find(folder.path), std::string::npos) << field << " " << value << ": " << error;
    std::string word = field;
    if (word == "rope_parameters" && value.is_object()) word = "rope_parameters.rope_type";
    EXPECT_NE(error.find(word), std::string::npos) << field << " " << value << ": " << error;
    // A size beside others may be in a product with them.
    const bool product = word == "num_key_value_heads" || word == "head_dim";
    if (value.is_number_integer() && !product) {
      EXPECT_NE(error.find(value.dump()), std::string::npos) << error;
    }
  }
}

TEST(Pretrained, SaysWhatAFolderLacks) {
  EXPECT_NE(error_of(fixture("no such folder")).find("need a folder"), std::string::npos);
  {
    Folder folder("gpt2");
    fs::remove(folder.path + "/config.json");
    EXPECT_NE(error_of(folder.path).find("config.json: there is no such file"), std::string::npos)
        << error_of(folder.path);
  }
  {
    Folder folder("gpt2");
    std::ofstream(folder.path + "/config.json") << "[1, 2";
    EXPECT_NE(error_of(folder.path).find("not valid JSON at byte 6"), std::string::npos) << error_of(folder.path);
    std::ofstream(folder.path + "/config.json") << "[1, 2]";
    EXPECT_NE(error_of(folder.path).find("need a JSON object, got a list of 2"), std::string::npos);
    std::ofstream(folder.path + "/config.json") << std::string(200000, '[');
    EXPECT_NE(error_of(folder.path).find("not valid JSON"), std::string::npos);
    std::ofstream(folder.path + "/config.json") << "{\"n_layer\": 1e999}";
    EXPECT_NE(error_of(folder.path).find("config.json: a number in it is out of range"), std::string::npos)
        << error_of(folder.path);
  }
  {
    Folder folder("gpt2");
    fs::remove(folder.path + "/model.safetensors");
    fs::remove(folder.path + "/expected.safetensors");
    EXPECT_NE(error_of(folder.path).find(folder.path), std::string::npos) << error_of(folder.path);
  }
  {
    Folder folder("llama");
    fs::remove(folder.path + "/model-00002-of-00003.safetensors");
    EXPECT_NE(error_of(folder.path).find("model-00002-of-00003.safetensors"), std::string::npos);
  }
  {  // Another network's weights.
    Folder folder("gpt2");
    fs::copy_file(fixture("bert/model.safetensors"), folder.path + "/model.safetensors",
                  fs::copy_options::overwrite_existing);
    EXPECT_NE(error_of(folder.path).find("transformer.wte.weight"), std::string::npos) << error_of(folder.path);
  }
  {  // Integers where numbers belong.
    Folder folder("gpt2");
    nn::StateDict dict = io::load_state_dict(folder.path + "/model.safetensors", {.load = {.mmap = false}});
    dict.set("transformer.wte.weight", dict.at("transformer.wte.weight").to(kInt64));
    io::save(folder.path + "/model.safetensors", dict);
    EXPECT_NE(error_of(folder.path).find("must be floating-point"), std::string::npos) << error_of(folder.path);
  }
}

TEST(Pretrained, TakesTheNamesOfOlderFiles) {
  Folder folder("gpt2");
  const Tensor ids = expected("gpt2").at("input_ids");
  const Tensor want = models::from_pretrained<models::GPT2>(folder.path)(ids);
  nn::StateDict old;  // OpenAI's: without a prefix, with masks
  for (const auto& [name, tensor] : io::load_state_dict(folder.path + "/model.safetensors", {.load = {.mmap = false}}))
    old.set(name.substr(std::string("transformer.").size()), tensor);
  old.set("h.0.attn.bias", ones({1, 1, 24, 24}));
  old.set("h.0.attn.masked_bias", full({}, -1e4));
  io::save(folder.path + "/model.safetensors", old);
  expect_close(models::from_pretrained<models::GPT2>(folder.path)(ids), want, 0, "GPT-2");

  Folder bert("bert");
  const Tensor before = models::from_pretrained<models::BERT>(bert.path)(ids);
  nn::StateDict gamma;
  for (auto [name, tensor] : io::load_state_dict(bert.path + "/model.safetensors", {.load = {.mmap = false}})) {
    if (name.ends_with("LayerNorm.weight")) name.replace(name.size() - 6, 6, "gamma");
    if (name.ends_with("LayerNorm.bias")) name.replace(name.size() - 4, 4, "beta");
    gamma.set("bert." + name, tensor);
  }
  gamma.set("bert.embeddings.position_ids", arange(24));
  gamma.set("cls.seq_relationship.weight", ones({2, 16}));
  io::save(bert.path + "/model.safetensors", gamma);
  expect_close(models::from_pretrained<models::BERT>(bert.path)(ids), before, 0, "BERT");
}

TEST(Pretrained, EncodersComeBackFromTheirOwnFiles) {
  const test::TempFolder folder;
  for (const char* name : {"bert", "bert_mlm", "bert_classifier"}) {
    const auto net = models::from_pretrained(fixture(name));
    models::save_pretrained(*net, (folder / name));
    const auto again = models::from_pretrained((folder / name));
    const Tensor ids = expected(name).at("input_ids");
    expect_close((*again)(ids), (*net)(ids), 0, name);
  }
  EXPECT_THROW(models::save_pretrained(nn::Linear(2, 2), (folder / "linear")), ValueError);
}

}  // namespace
}  // namespace gradus
