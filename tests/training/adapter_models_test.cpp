// Adapters of GPT-2, Llama and BERT in PEFT's files: tests/fixtures/make_adapter_models.py made those that are read,
// and with --check reads those that are written.
#include <gmock/gmock.h>
#include <gradus/autograd.h>
#include <gradus/gradus.h>
#include <gradus/io/load.h>
#include <gradus/io/safetensors.h>
#include <gradus/models/pretrained.h>
#include <gradus/training/adapter_files.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/formula.h"
#include "support/paths.h"
#include "support/temp_folder.h"

namespace gradus {
namespace {

namespace fs = std::filesystem;
namespace F = nn::functional;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

std::string fixture(const std::string& name) { return test::source_path("tests/fixtures/adapter_models/" + name); }

std::shared_ptr<nn::Module> base(const std::string& name, Dtype dtype) {
  const std::string model = name.substr(0, name.find('_'));
  const auto net = models::from_pretrained(
      test::source_path("tests/fixtures/text/" + (model == "bert" ? "bert_classifier" : model)), {.dtype = dtype});
  net->eval();  // without dropout
  return net;
}

// A folder of its own, or below GRADUS_KEEP_ADAPTERS, which --check takes.
class AdapterModels : public testing::Test {
 protected:
  std::string folder(const std::string& name) const {
    const char* keep = std::getenv("GRADUS_KEEP_ADAPTERS");
    return ((keep != nullptr ? fs::path(keep) : fs::path(temp_.path())) / name).string();
  }
  // Saves the adapter with what both types compute; returns its config.
  json saved(nn::Module& net, const std::string& name) const {
    training::save_adapter(net, folder(name));
    const auto single = base(name, kFloat32);
    training::load_adapter(*single, folder(name));
    const Tensor ids = io::load_state_dict(fixture("gpt2_lora") + "/expected.safetensors").at("input_ids");
    io::Value outputs = io::Value::dict();
    outputs.set("float64", net(ids).detach());
    outputs.set("float32", (*single)(ids).detach());
    io::save_safetensors(folder(name) + "/outputs.safetensors", outputs);
    EXPECT_LT((outputs.as_tensor({"float32"}).to_double() - outputs.as_tensor({"float64"})).abs().max().item(), 1e-4);
    return json::parse(std::ifstream(folder(name) + "/adapter_config.json"));
  }

 private:
  const test::TempFolder temp_;
};

Tensor loss_of(nn::Module& net, const Tensor& ids) {
  const Tensor logits = net(ids);
  return logits.dim() == 3 ? models::causal_lm_loss(logits, ids)
                           : F::cross_entropy(logits, tensor<std::int64_t>({1, 2}));
}

double largest_difference(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  return (a.detach().to(kFloat64) - b.to(kFloat64)).abs().max().item();
}

TEST_F(AdapterModels, PeftsAreReadTrainedAndWritten) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator(fixture(""))) {
    const std::string name = entry.path().filename().string();
    SCOPED_TRACE(name);
    ++count;
    const nn::StateDict wanted = io::load_state_dict(fixture(name) + "/expected.safetensors");
    const Tensor ids = wanted.at("input_ids");
    for (const Dtype dtype : {kFloat32, kFloat64}) {
      const double tolerance = dtype == kFloat64 ? 1e-8 : 1e-4;
      const auto net = base(name, dtype);
      const Tensor plain = (*net)(ids).detach();
      training::load_adapter(*net, fixture(name));
      EXPECT_LT(largest_difference((*net)(ids), wanted.at("before")), tolerance);
      EXPECT_GT(largest_difference(plain, wanted.at("before")), 1e-2);
      optim::AdamW optimizer(nn::adapter_parameters(*net), {.lr = 0.02, .weight_decay = 0.01});
      for (const double loss : wanted.at(dtype == kFloat64 ? "losses" : "losses32").to_vector<double>()) {
        const Tensor now = loss_of(*net, ids);
        EXPECT_NEAR(now.item(), loss, tolerance);
        optimizer.minimize(now);
      }
      if (dtype == kFloat32) continue;
      EXPECT_LT(largest_difference((*net)(ids), wanted.at("after")), tolerance);
      const json ours = saved(*net, name), theirs = json::parse(std::ifstream(fixture(name) + "/adapter_config.json"));
      // PEFT reads these, and refuses a file without the first.
      for (const char* field : {"peft_type", "use_rslora", "use_dora", "fan_in_fan_out", "bias"}) {
        EXPECT_EQ(ours.contains(field), theirs.contains(field)) << field;
        EXPECT_EQ(ours.value(field, json()), theirs.value(field, json())) << field;
      }
      const io::Value a = io::load_safetensors(folder(name) + "/adapter_model.safetensors").tensors,
                      b = io::load_safetensors(fixture(name) + "/adapter_model.safetensors").tensors;
      for (const auto& [key, value] : b.entries()) {
        if (key.to_string().ends_with("base_layer.weight")) continue;  // the base's own
        EXPECT_EQ(a.as_tensor({key}).sizes(), value.as_tensor().sizes()) << key.to_string();
      }
      EXPECT_LE(a.size(), b.size());
    }
  }
  EXPECT_EQ(count, 14);
}

// Several ranks, alphas and kinds of layers under one name.
TEST_F(AdapterModels, OursAreWrittenSoThatPeftReadsThem) {
  const auto fill = [](nn::Module& net) {
    const NoGrad guard;
    for (auto [name, p] : nn::named_adapter_parameters(net)) p.add_(test::uniform(name, p.sizes()) * 0.2);
  };
  const auto gpt2 = base("gpt2", kFloat64);
  nn::lora(*gpt2, "*c_attn", {.rank = 4, .alpha = 8});
  nn::lora(*gpt2, "transformer.h.0.mlp.*", {.rank = 2, .alpha = 3});
  nn::lora(*gpt2, "*wpe", {.rank = 3, .alpha = 8});
  fill(*gpt2);
  const json config = saved(*gpt2, "gpt2_ranks");
  EXPECT_EQ(config["rank_pattern"], json({{"^transformer\\.h\\.0\\.mlp\\.c_fc", 2},
                                          {"^transformer\\.h\\.0\\.mlp\\.c_proj", 2},
                                          {"^transformer\\.wpe", 3}}));
  EXPECT_EQ(config["alpha_pattern"],
            json({{"^transformer\\.h\\.0\\.mlp\\.c_fc", 3}, {"^transformer\\.h\\.0\\.mlp\\.c_proj", 3}}));
  EXPECT_EQ(config["r"], 4);
  EXPECT_EQ(config["fan_in_fan_out"], true);

  const auto llama = base("llama", kFloat64);
  nn::lora(*llama, "*.q_proj", {.rank = 2, .alpha = 4, .rslora = true, .dora = true});
  nn::lora(*llama, "*.mlp.*", {.rank = 5, .alpha = 4, .rslora = true, .dora = true});
  nn::lora(*llama, "lm_head", {.rank = 2, .alpha = 4, .rslora = true, .dora = true});
  fill(*llama);
  EXPECT_EQ(saved(*llama, "llama_ranks")["fan_in_fan_out"], false);

  const auto bert = base("bert", kFloat64);
  nn::ia3(*bert, "*.self.value");
  nn::ia3(*bert, "*.dense", {.feedforward = "*.intermediate.dense"});
  nn::ia3(*bert, "classifier");
  fill(*bert);
  EXPECT_EQ(saved(*bert, "bert_scales")["feedforward_modules"], json({"bert.encoder.layer.0.intermediate.dense"}));
}

TEST_F(AdapterModels, APrefixIsWrittenSoThatPeftReadsIt) {
  for (const std::string name : {"gpt2", "llama"}) {
    const auto net = base(name, kFloat64);
    manual_seed(3);
    EXPECT_EQ(nn::prefix(*net, name == "gpt2" ? "*.attn" : "*.self_attn", {.tokens = 2}).size(), 2U);
    {
      const NoGrad guard;
      for (auto [own, p] : nn::named_adapter_parameters(*net)) p.copy_(test::uniform(own, p.sizes()));
    }
    const json config = saved(*net, name + "_front");
    EXPECT_EQ(config["peft_type"], "PREFIX_TUNING");
    EXPECT_EQ(config["task_type"], "CAUSAL_LM");
    EXPECT_EQ(config["num_virtual_tokens"], 2);
    EXPECT_EQ(config["num_layers"], 2);
    EXPECT_EQ(config["token_dim"], 16);
    EXPECT_EQ(config["num_attention_heads"], name == "gpt2" ? 4 : 2);
    const io::Value file = io::load_safetensors(folder(name + "_front") + "/adapter_model.safetensors").tensors;
    EXPECT_EQ(file.size(), 1U);
    EXPECT_EQ(file.as_tensor({"prompt_embeddings"}).sizes(), (Shape{2, 64}));

    // With a cache, and with padding, as without.
    const NoGrad guard;
    const auto lm = std::dynamic_pointer_cast<models::CausalLM>(net);
    const Tensor ids = tensor<std::int64_t>({{3, 1, 4, 1, 5}}), all = (*lm)(ids);
    models::KVCache cache;
    for (const auto& [at, count] : {std::pair{0, 2}, {2, 1}, {3, 2}})
      EXPECT_LT(largest_difference((*lm)(narrow(ids, 1, at, count), {.cache = &cache}), narrow(all, 1, at, count)),
                1e-10);
    EXPECT_EQ(cache.length(), 5);
    const Tensor padded = tensor<std::int64_t>({{0, 0, 3, 1, 4, 1, 5}}),
                 mask = tensor<std::int64_t>({{0, 0, 1, 1, 1, 1, 1}}),
                 positions = tensor<std::int64_t>({{0, 0, 0, 1, 2, 3, 4}});
    EXPECT_LT(
        largest_difference(narrow((*lm)(padded, {.attention_mask = mask, .position_ids = positions}), 1, 2, 5), all),
        1e-10);
    EXPECT_EQ(models::generate(*lm, ids, {.max_new_tokens = 4}).to_vector<std::int64_t>(),
              models::generate(*lm, ids, {.max_new_tokens = 4, .use_cache = false}).to_vector<std::int64_t>());
    nn::set_adapter(*net, "");
    EXPECT_LT(largest_difference((*lm)(ids), (*base(name, kFloat64))(ids)), 1e-15);
  }
  const auto half = base("gpt2", kFloat64);
  nn::prefix(*half, "*.1.attn");
  EXPECT_THROW((*half)(tensor<std::int64_t>({{1, 2}})), ValueError);
  EXPECT_THROW(training::save_adapter(*half, folder("half")), ValueError);
  const auto encoder = base("bert", kFloat64);
  const Tensor ids = tensor<std::int64_t>({{1, 2, 3}});
  const Tensor before = (*encoder)(ids).detach();
  nn::prefix(*encoder, "*.self");
  EXPECT_GT(largest_difference((*encoder)(ids), before), 1e-6);
}

TEST_F(AdapterModels, WholeLayersAreTrainedBesideAnAdapter) {
  const auto net = base("bert", kFloat64);
  const Tensor ids = tensor<std::int64_t>({{1, 2, 3}, {4, 5, 6}});
  const Tensor before = (*net)(ids).detach();
  const std::vector<double> weight = net->get_parameter("classifier.weight").to_vector<double>();
  EXPECT_THAT(nn::modules_to_save(*net, "classifier"), ElementsAre("classifier"));
  EXPECT_THROW(training::save_adapter(*net, folder("none")), ValueError);
  nn::lora(*net, "*.query", {.rank = 2});
  EXPECT_TRUE(equal((*net)(ids), before));
  optim::AdamW optimizer(nn::adapter_parameters(*net), {.lr = 0.01});
  for (int i = 0; i < 3; ++i) optimizer.minimize(loss_of(*net, ids));
  EXPECT_EQ(net->get_parameter("classifier.weight").to_vector<double>(), weight);
  EXPECT_GT(largest_difference(net->get_parameter("classifier.adapters.default.weight"),
                               net->get_parameter("classifier.weight")),
            0.01);
  EXPECT_EQ(saved(*net, "bert_head")["modules_to_save"], json({"classifier"}));
  const Tensor after = (*net)(ids).detach();
  {
    const nn::BatchAdapters each(*net, {"", "default"});
    const Tensor both = (*net)(ids).detach();
    EXPECT_LT(largest_difference(both[0], before[0]), 1e-12);
    EXPECT_LT(largest_difference(both[1], after[1]), 1e-12);
  }
  nn::merge_adapter(*net);
  EXPECT_LT(largest_difference((*net)(ids), after), 1e-12);
  nn::unmerge_adapter(*net);
  EXPECT_EQ(net->get_parameter("classifier.weight").to_vector<double>(), weight);
}

// Blocks of several inputs are recomputed by pattern, too; a block keeps its input alone.
TEST_F(AdapterModels, BlocksAreRecomputedWithTheSameBits) {
  for (const std::string name : {"gpt2", "llama", "bert"}) {
    SCOPED_TRACE(name);
    const Tensor ids = tensor<std::int64_t>({{3, 1, 4, 1, 5, 9}, {2, 7, 1, 8, 2, 8}});
    std::vector<Tensor> gradients[2];
    std::int64_t kept[2] = {0, 0};
    for (const bool again : {false, true}) {
      const auto net = base(name, kFloat32);
      manual_seed(5);
      nn::lora(*net, name == "gpt2" ? "*attn.*" : "*layer*", {.rank = 2, .dropout = 0.3, .init = "random"});
      if (name != "bert") nn::prefix(*net, name == "gpt2" ? "*.attn" : "*.self_attn", {.tokens = 2});
      net->train();  // with dropout
      const std::size_t blocks = again ? nn::recompute(*net, "*.?").size() : 0;
      EXPECT_EQ(blocks, !again ? 0U : name == "bert" ? 1U : 2U);
      manual_seed(6);
      const std::int64_t before = memory_stats().current_bytes;
      const Tensor loss = loss_of(*net, ids);
      kept[again ? 1 : 0] = memory_stats().current_bytes - before;
      loss.backward();
      for (const Tensor& p : nn::adapter_parameters(*net)) gradients[again ? 1 : 0].push_back(p.grad());
      gradients[again ? 1 : 0].push_back(loss.detach());
    }
    ASSERT_EQ(gradients[0].size(), gradients[1].size());
    for (std::size_t i = 0; i < gradients[0].size(); ++i) EXPECT_TRUE(equal(gradients[0][i], gradients[1][i])) << i;
    EXPECT_LT(kept[1], kept[0] * 2 / 3);
  }
}

// Names that are also the end of others.
TEST_F(AdapterModels, APatternNamesOneLayerOnly) {
  const auto make = [] {
    nn::Sequential inner(nn::Linear(3, 3), nn::Linear(3, 3));
    nn::Sequential net(nn::Linear(3, 3), inner);
    net.to(kFloat64);
    test::fill(net);
    return net;
  };
  nn::Sequential net = make(), again = make();
  nn::lora(net, "0", {.rank = 2, .alpha = 3});
  nn::lora(net, "1.0", {.rank = 1, .alpha = 5});
  nn::lora(net, "1.1", {.rank = 1, .alpha = 5});
  const test::TempFolder temp;
  training::save_adapter(net, temp.path());
  json config = json::parse(std::ifstream(temp.path() + "/adapter_config.json"));
  EXPECT_EQ(config["rank_pattern"], json({{"^1\\.0", 1}, {"^1\\.1", 1}}));
  config["rank_pattern"] = {{"^0", 2}};
  config["r"] = 1;
  std::ofstream(temp.path() + "/adapter_config.json") << config.dump();
  training::load_adapter(again, temp.path());

  nn::Sequential scaled = make(), read = make();
  nn::ia3(scaled, "*", {.feedforward = "0"});
  {
    const NoGrad guard;
    for (auto [name, p] : nn::named_adapter_parameters(scaled)) p.copy_(test::uniform(name, p.sizes()));
  }
  training::save_adapter(scaled, temp.path());
  EXPECT_EQ(json::parse(std::ifstream(temp.path() + "/adapter_config.json"))["feedforward_modules"], "(^0)");
  training::load_adapter(read, temp.path());
  const Tensor x = test::uniform("x", {2, 3});
  EXPECT_TRUE(equal(read(x), scaled(x)));
}

class PeftsConfig : public testing::Test {
 protected:
  std::string refusal(const std::string& name, const json& fields) const {
    const test::TempFolder temp;
    fs::copy(fixture(name), temp.path(), fs::copy_options::recursive);
    json config = json::parse(std::ifstream(temp.path() + "/adapter_config.json"));
    config.update(fields);
    std::ofstream(temp.path() + "/adapter_config.json") << config.dump();
    const auto net = base(name, kFloat32);
    try {
      training::load_adapter(*net, temp.path());
    } catch (const IoError& e) {
      EXPECT_TRUE(nn::adapter_names(*net).empty());
      return e.what();
    }
    return "";
  }
};

TEST_F(PeftsConfig, HasPatternsThatAreRegularExpressions) {
  EXPECT_EQ(refusal("gpt2_lora", {{"rank_pattern", {{"h\\.[0].*c_attn|nothing", 2}}}}), "");
  EXPECT_THAT(refusal("gpt2_lora", {{"rank_pattern", {{"h\\.[1].*c_attn", 2}}}}), HasSubstr("config says rank 3"));
  EXPECT_THAT(refusal("gpt2_lora", {{"rank_pattern", {{"h.(0", 2}}}}),
              HasSubstr("rank_pattern: '^(?:.*\\.)?(?:h.(0)$' is not a valid regular expression"));
  EXPECT_THAT(refusal("gpt2_lora", {{"rank_pattern", {{"(t|tr|.)*(.*.*)*x", 2}}}}), HasSubstr("rank_pattern must be"));
  EXPECT_THAT(refusal("llama_ia3", {{"feedforward_modules", "layers"}}), HasSubstr("needs [16, 1]"));
}

TEST_F(PeftsConfig, OfAdaptersThatAreMoreThanTheyComputeIsRefused) {
  for (const char* init : {"pissa", "pissa_niter_4", "olora", "loftq", "corda"})
    EXPECT_THAT(refusal("gpt2_lora", {{"init_lora_weights", init}}), HasSubstr("init_lora_weights must be")) << init;
  for (const char* init : {"gaussian", "orthogonal", "eva"})
    EXPECT_EQ(refusal("gpt2_lora", {{"init_lora_weights", init}}), "") << init;
  for (const char* field : {"use_bdlora", "arrow_config", "kasa_config", "velora_config", "monteclora_config"})
    EXPECT_THAT(refusal("gpt2_lora", {{field, {{"a", 1}}}}), HasSubstr(std::string(field) + " must be absent"));
}

TEST_F(PeftsConfig, OfAPrefixMustFitTheModel) {
  EXPECT_THAT(refusal("gpt2_prefix", {{"num_virtual_tokens", 4}}), HasSubstr("num_virtual_tokens must be 3"));
  EXPECT_THAT(refusal("gpt2_prefix", {{"num_transformer_submodules", 2}}),
              HasSubstr("num_transformer_submodules must be 1"));
  EXPECT_THAT(refusal("gpt2_prefix", {{"peft_type", "PREFIX"}}), HasSubstr("does not begin with"));
  const auto other = base("llama", kFloat32);
  try {
    training::load_adapter(*other, fixture("mistral_table"));
    FAIL();
  } catch (const IoError&) {
  }
  nn::Sequential plain{nn::Linear(2, 2)};
  EXPECT_THROW(training::load_adapter(plain, fixture("gpt2_prefix")), IoError);
  const auto bert = base("bert", kFloat32);
  try {
    training::load_adapter(*bert, fixture("gpt2_prefix"));
    FAIL();
  } catch (const IoError& e) {
    EXPECT_THAT(e.what(), HasSubstr("is float32 [3, 64], which should be floating-point [num_virtual_tokens, 32]"));
  }
}

TEST_F(PeftsConfig, BesideOtherWeightsOfTheBaseIsRefused) {
  const auto net = base("mistral", kFloat32);
  {
    const NoGrad guard;
    net->named_parameters()[0].second.add_(1);
  }
  try {
    training::load_adapter(*net, fixture("mistral_table"));
    FAIL();
  } catch (const IoError& e) {
    EXPECT_THAT(e.what(),
                HasSubstr("'base_model.model.model.embed_tokens.base_layer.weight' holds weights of the base"));
  }
}

}  // namespace
}  // namespace gradus
