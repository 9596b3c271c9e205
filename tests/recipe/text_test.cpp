// Recipes for texts, and adapters in recipes.
#include <gmock/gmock.h>
#include <gradus/nn/adapters.h>
#include <gradus/training/adapter_files.h>

#include <nlohmann/json.hpp>

#include "recipe/support.h"
#include "support/command.h"
#include "support/message.h"

namespace gradus::recipe {
namespace {

using test::file_bytes;
using test::message_of;
using test::TempFolder;
using testing::HasSubstr;

class RecipeTexts : public testing::Test {
 protected:
  RecipeTexts() { put_language_model(folder); }
  std::string text(const std::string& adapters, const std::string& rest) const {
    return "data:\n  dataset: TextBlocks(path='" + folder / "book.txt" + "', tokenizer='" + folder / "gpt2" +
           "', length=16)\n  batch_size: 8\nnetworks:\n  net:\n    model: from_pretrained('" + folder / "gpt2" +
           "')\n" + adapters + "losses: {loss: \"causal_lm_loss(net(x), x)\"}\n" + rest;
  }
  std::string two_adapters() const {
    return text(
        "    adapters:\n      first: lora('*attn.*', rank=2, alpha=4)\n"
        "      second: {type: lora, layers: '*mlp.c_fc', rank: 3, dora: true, dropout: 0.1}\n",
        "optimizers:\n  a: {type: AdamW, params: '*.adapters.first.*', lr: 0.01}\n"
        "  b: {type: AdamW, params: '*.adapters.second.*', lr: 0.01}\n"
        "phases:\n- {name: one, steps: 4, minimize: loss, optimizer: a}\n"
        "- {name: two, steps: 4, minimize: loss, optimizer: b, use: {net: second}}\n"
        "- {name: three, steps: 2, minimize: loss, optimizer: a, use: {net: first}}\n");
  }
  static Recipe parsed(const std::string& text) { return parse_recipe(text, "r.yaml"); }
  TempFolder folder;
};

TEST_F(RecipeTexts, ALanguageModelLearns) {
  const auto training = made(parsed(text("",
                                         "optimizers: {adamw: {type: AdamW, lr: 0.01}}\n"
                                         "phases: [{epochs: 8, minimize: loss}]\n")));
  training->step();
  const double first = training->losses()[0].second;
  EXPECT_NEAR(first, std::log(424), 0.3);
  while (!training->done()) training->step();
  EXPECT_LT(training->losses()[0].second, first / 2);
}

TEST_F(RecipeTexts, AdaptersTakeTurnsAndTheBaseKeepsItsBits) {
  const nn::StateDict base = models::from_pretrained(folder / "gpt2")->state_dict();
  const auto training = made(parsed(two_adapters()));
  nn::Module& net = training->network("net");
  const auto bits = [&](const std::string& adapter) {
    std::vector<Tensor> all;
    for (const Tensor& p : nn::adapter_parameters(net, adapter)) all.push_back(p.detach().clone());
    return all;
  };
  const auto same = [](const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
    for (std::size_t i = 0; i < a.size(); ++i)
      if (!same_bits(a[i], b[i])) return false;
    return true;
  };
  const auto second = bits("second"), first = bits("first");
  EXPECT_THAT(nn::active_adapters(net), testing::ElementsAre("first"));
  while (training->phase_name() == "one") training->step();
  EXPECT_FALSE(same(bits("first"), first));
  EXPECT_TRUE(same(bits("second"), second));
  const auto after_one = bits("first");
  while (training->phase_name() == "two") training->step();
  EXPECT_THAT(nn::active_adapters(net), testing::ElementsAre("second"));
  EXPECT_TRUE(same(bits("first"), after_one));
  EXPECT_FALSE(same(bits("second"), second));
  while (!training->done()) training->step();
  const nn::StateDict after = net.state_dict();
  for (const auto& [name, tensor] : base) EXPECT_TRUE(same_bits(tensor, after.at(name))) << name;
}

TEST_F(RecipeTexts, ARunWithAdaptersIsResumedAtEachStep) {
  const auto whole = trained(parsed(two_adapters()));
  for (int stop = 1; stop < 10; ++stop) {
    const auto part = made(parsed(two_adapters())), rest = made(parsed(two_adapters()));
    training::Checkpoint state, other;
    part->add_to(state);
    rest->add_to(other);
    for (int i = 0; i < stop; ++i) part->step();
    const io::Value saved = state.state_dict();
    const gradus::Generator drawn = default_generator();
    other.load_state_dict(saved);
    EXPECT_EQ(nn::active_adapters(rest->network("net")), nn::active_adapters(part->network("net"))) << stop;
    default_generator() = drawn;
    while (!rest->done()) rest->step();
    expect_same(rest->network("net"), whole->network("net"), std::to_string(stop).c_str());
  }
}

TEST_F(RecipeTexts, AnAverageHasTheAdaptersToo) {
  const auto training = trained(
      parsed(text("    adapters: {first: \"lora('*attn.*', rank=2)\"}\n  ema: {average: {of: net, decay: 0.5}}\n",
                  "optimizers: {a: {type: AdamW, params: '*.adapters.first.*', lr: 0.01}}\n"
                  "phases: [{steps: 3, minimize: loss}]\n"
                  "values: {averaged: \"ema(x)\"}\n")));
  const auto of = [&](const char* network) { return nn::adapter_parameters(training->network(network), "first"); };
  ASSERT_EQ(of("ema").size(), of("net").size());
  EXPECT_FALSE(same_bits(of("ema")[1], of("net")[1]));
  EXPECT_GT(of("ema")[1].abs().max().item(), 0);
}

TEST_F(RecipeTexts, AnAveragesAdapterIsResumed) {
  const std::string recipe =
      text("    adapters: {first: lora, second: lora}\n  ema: {average: {of: net, decay: 0.5}}\n",
           "optimizers: {a: {type: AdamW, params: '*.adapters.*', lr: 0.01}}\n"
           "phases: [{steps: 2, minimize: loss, use: {net: second, ema: second}}]\n"
           "values: {averaged: \"ema(x)\"}\n");
  const auto part = made(parsed(recipe)), rest = made(parsed(recipe));
  training::Checkpoint state, other;
  part->add_to(state);
  rest->add_to(other);
  part->step();
  other.load_state_dict(state.state_dict());
  EXPECT_EQ(nn::active_adapters(part->network("ema")), std::vector<std::string>{"second"});
  EXPECT_EQ(nn::active_adapters(rest->network("ema")), std::vector<std::string>{"second"});
}

TEST_F(RecipeTexts, MistakesHaveTheirPlaces) {
  const auto mistakes = [&](const std::string& adapters, const std::string& phase = "") {
    return message_of<RecipeError>([&] {
      made(parsed(text(adapters, "optimizers: {a: AdamW}\nphases: [{steps: 1, minimize: loss" + phase + "}]\n")));
    });
  };
  EXPECT_THAT(mistakes("    adapters: {first: \"loar('*')\"}\n"),
              HasSubstr("r.yaml:7:23: there is no adapter 'loar'; did you mean 'lora'"));
  EXPECT_THAT(mistakes("    adapters: {first: \"lora('*none*')\"}\n"), HasSubstr("matches '*none*'"));
  EXPECT_THAT(mistakes("    adapters: {none: lora}\n"), HasSubstr("cannot be called none"));
  EXPECT_THAT(mistakes("    adapters: {first: lora(rank=0)}\n"), HasSubstr("rank"));
  EXPECT_THAT(mistakes("    adapters: {first: load_adapter(" + folder / "nowhere" + ")}\n"), HasSubstr("nowhere"));
  EXPECT_THAT(mistakes("    adapters: {first: lora}\n", ", use: {net: frist}"),
              HasSubstr("network net has no adapter 'frist'; did you mean 'first'"));
  EXPECT_THAT(mistakes("    adapters: {first: lora}\n", ", use: {nt: first}"),
              HasSubstr("there is no network 'nt'; did you mean 'net'"));
  test::put_file(folder / "book.txt", "the");
  EXPECT_THAT(mistakes(""), HasSubstr("which make no block of length 16"));
}

TEST_F(RecipeTexts, ARunWritesWhatOthersRead) {
  test::put_file(folder / "r.yaml", two_adapters());
  const auto result = test::run_gradus("train " + folder / "r.yaml" + " --receipt --out " + folder / "run");
  ASSERT_EQ(result.status, 0) << result.err;
  const auto net = models::from_pretrained(folder / "gpt2");
  training::load_adapter(*net, folder / "run/net-first", {.name = "first"});
  training::load_adapter(*net, folder / "run/net-second", {.name = "second"});
  const nn::StateDict written = io::load_state_dict(folder / "run/net.pth");
  for (const auto& [name, tensor] : net->state_dict()) EXPECT_TRUE(same_bits(tensor, written.at(name))) << name;
  const auto config = nlohmann::json::parse(file_bytes(folder / "run/net-second/adapter_config.json"));
  EXPECT_EQ(config["base_model_name_or_path"], folder / "gpt2");
  EXPECT_EQ(config["use_dora"], true);
  const auto verified = test::run_gradus("verify " + folder / "run/receipt.json" + " " + folder / "run/net.pth");
  EXPECT_EQ(verified.status, 0) << verified.out << verified.err;

  test::put_file(folder / "plain.yaml", text("", "optimizers: {a: AdamW}\nphases: [{steps: 1, minimize: loss}]\n"));
  ASSERT_EQ(test::run_gradus("train " + folder / "plain.yaml" + " --out " + folder / "plain").status, 0);
  EXPECT_EQ(test::run_gradus("generate --prompt the --max-new-tokens 2 --model " + folder / "plain/net").status, 0);
}

}  // namespace
}  // namespace gradus::recipe
