// gradus generate, perplexity and finetune-lm, on a small GPT-2 with a tokenizer beside it.
#include <gmock/gmock.h>
#include <gradus/models/generation.h>
#include <gradus/models/pretrained.h>
#include <gradus/random.h>
#include <gradus/text/tokenizer.h>
#include <gradus/training/checkpoint_manager.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/command.h"
#include "support/paths.h"
#include "support/temp_folder.h"

namespace gradus::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::CommandResult;
using test::file_bytes;
using test::put_file;
using test::run_gradus;
using testing::HasSubstr;

class TextCommands : public testing::Test {
 protected:
  TextCommands() {
    manual_seed(3);
    models::GPT2 net({.vocab_size = 424, .n_positions = 48, .n_embd = 16, .n_layer = 1, .n_head = 2});
    models::save_pretrained(net, folder / "model");
    fs::copy(test::source_path("tests/fixtures/text/tokenizer_gpt2"), folder / "model");
    std::string text;
    for (int i = 0; i < 60; ++i)
      text += "the people of the word write to the people of the world.\nthis is what they do.\n\n";
    put_file(folder / "text.txt", text);
  }
  std::string model() const { return folder / "model"; }
  std::string finetune(const std::string& out, const std::string& more = "") const {
    return "finetune-lm --threads 1 --model " + model() + " --data " + folder / "text.txt" +
           " --length 16 --lr 0.01 --out " + folder / out + " " + more;
  }
  test::TempFolder folder;
};

TEST_F(TextCommands, GenerateContinuesAsTheLibraryDoes) {
  const auto tokenizer = text::Tokenizer::from_pretrained(model());
  const auto net = models::causal_lm_from_pretrained(model());
  const auto ids = tokenizer.encode("the people").ids;
  const Tensor prompt = tensor(ids, {1, static_cast<std::int64_t>(ids.size())});
  const std::string wanted =
      tokenizer.decode(models::generate(*net, prompt, {.max_new_tokens = 8}).to_vector<std::int64_t>(), true);
  const std::string command = "generate --model " + model() + " --prompt 'the people' --max-new-tokens 8";
  const CommandResult greedy = run_gradus(command);
  EXPECT_EQ(greedy.status, 0) << greedy.err;
  EXPECT_EQ(greedy.out, wanted + "\n");
  EXPECT_EQ(run_gradus(command + " --only-new").out, wanted.substr(std::string("the people").size()) + "\n");

  const std::string sampled = command + " --temperature 1.5 --top-k 0";
  EXPECT_EQ(run_gradus(sampled + " --seed 5").out, run_gradus(sampled + " --seed 5").out);
  EXPECT_NE(run_gradus(sampled + " --seed 5").out, run_gradus(sampled + " --seed 6").out);
}

TEST_F(TextCommands, GenerateEndsAtAStop) {
  const std::string command = "generate --model " + model() + " --prompt 'the people' --max-new-tokens 12";
  const std::string whole = run_gradus(command).out;
  ASSERT_GT(whole.size(), 20U);
  const std::string stop = whole.substr(14, 3);
  if (stop.find('\'') != stop.npos) GTEST_SKIP() << "a quote in the shell";
  const std::string cut = run_gradus(command + " --stop '" + stop + "'").out;
  EXPECT_EQ(cut, whole.substr(0, whole.find(stop, 8)) + "\n");
}

TEST_F(TextCommands, RefuseWhatTheyCannotRead) {
  const auto error = [&](const std::string& arguments) {
    const CommandResult result = run_gradus(arguments);
    EXPECT_EQ(result.status, 2) << arguments;
    EXPECT_EQ(result.out, "") << arguments;
    return result.err;
  };
  EXPECT_THAT(error("generate --model " + folder / "none" + " --prompt x"), HasSubstr("need a folder"));
  EXPECT_THAT(error("generate --model " + model() + " --prompt ''"), HasSubstr("need a text of at least one token"));
  EXPECT_THAT(error("generate --model " + model() + " --prompt x --temperature 0"), HasSubstr("--temperature"));
  EXPECT_THAT(error("generate --model " + model() + " --prompt '" + std::string(200, '!') + "'"),
              HasSubstr("48 positions"));
  put_file(folder / "short.txt", "the people");
  EXPECT_THAT(error("finetune-lm --model " + model() + " --data " + folder / "short.txt" + " --out " + folder / "out"),
              HasSubstr("--length: the model has 48 positions, got 128"));
  EXPECT_THAT(error("finetune-lm --length 16 --model " + model() + " --data " + folder / "short.txt" + " --out " +
                    folder / "out"),
              HasSubstr("tokens are 0 samples of --length 16"));
  EXPECT_THAT(error(finetune("out", "--freeze '*'")), HasSubstr("nothing to train"));
  EXPECT_FALSE(fs::exists(folder / "out"));
  fs::remove(folder / "model/tokenizer.json");
  EXPECT_THAT(error("generate --model " + model() + " --prompt x"), HasSubstr("no tokenizer"));
}

TEST_F(TextCommands, FinetuneLearnsATextAndSavesIt) {
  const std::string perplexity = "perplexity --length 16 --data " + folder / "text.txt" + " --model ";
  const auto of = [&](const std::string& path) {
    const CommandResult result = run_gradus(perplexity + path);
    EXPECT_EQ(result.status, 0) << result.err;
    return std::stod(result.out.substr(std::string("perplexity ").size()));
  };
  const CommandResult result = run_gradus(finetune("out", "--epochs 3"));
  ASSERT_EQ(result.status, 0) << result.err;
  const double before = of(model()), after = of(folder / "out/model");
  EXPECT_NEAR(std::log(before), std::log(424), 0.5);
  EXPECT_LT(after, 20);
  const json summary = json::parse(file_bytes(folder / "out/summary.json"));
  EXPECT_EQ(summary["command"], "finetune-lm");
  EXPECT_LT(summary["perplexity"].get<double>(), 20);
  EXPECT_THAT(
      run_gradus("generate --max-new-tokens 4 --prompt 'the people of the' --model " + folder / "out/model").out,
      HasSubstr("the people of the "));
}

TEST_F(TextCommands, APerplexityThatIsNotANumberIsNoSuccess) {
  const auto net = models::from_pretrained(model());
  net->parameters()[0].detach().fill_(std::nan(""));
  models::save_pretrained(*net, folder / "nan");
  fs::copy(model(), folder / "nan", fs::copy_options::recursive | fs::copy_options::skip_existing);  // its tokenizer
  const CommandResult result =
      run_gradus("perplexity --length 16 --data " + folder / "text.txt" + " --model " + folder / "nan");
  EXPECT_EQ(result.status, 3);
  EXPECT_EQ(result.err, "gradus: the perplexity is not finite\n");
}

TEST_F(TextCommands, FinetuneOfTheHeadLeavesTheBody) {
  ASSERT_EQ(run_gradus(finetune("out", "--freeze 'transformer.h.*'")).status, 0);
  const nn::StateDict before = models::from_pretrained(model())->state_dict(),
                      after = models::from_pretrained(folder / "out/model")->state_dict();
  for (const auto& [name, tensor] : before) {
    const bool same = (tensor - after.at(name)).abs().max().item() == 0;
    EXPECT_EQ(same, name.starts_with("transformer.h.")) << name;
  }
}

TEST_F(TextCommands, LoraTrainsAnAdapterAndMergesIt) {
  ASSERT_EQ(run_gradus(finetune("out", "--lora rank=4 alpha=8 --epochs 2 --save-every 3 --keep 0 --receipt")).status,
            0);
  const nn::StateDict before = models::from_pretrained(model())->state_dict(),
                      after = models::from_pretrained(folder / "out/model")->state_dict();
  int changed = 0;
  for (const auto& [name, tensor] : before) {
    const bool same = (tensor - after.at(name)).abs().max().item() == 0;
    const bool adapted = name.find(".attn.") != name.npos && name.ends_with("weight");
    EXPECT_EQ(same, !adapted) << name;
    changed += same ? 0 : 1;
  }
  EXPECT_EQ(changed, 2);
  const json config = json::parse(file_bytes(folder / "out/adapter/adapter_config.json"));
  EXPECT_EQ(config["r"], 4);
  EXPECT_TRUE(fs::exists(folder / "out/adapter/adapter_model.safetensors"));

  // The base and the adapter, apart, in the last checkpoint: the receipt says that no bit of the base moved.
  const std::string last = training::list_checkpoints(folder / "out/checkpoints").back().path;
  const CommandResult verified = run_gradus("verify " + folder / "out/receipt.json" + " " + last);
  EXPECT_EQ(verified.status, 0) << verified.out << verified.err;

  // Killed in the middle, it goes on as if it had not been.
  const std::string merged = file_bytes(folder / "out/model/model.safetensors");
  std::vector<fs::path> saved;
  for (const auto& entry : fs::directory_iterator(folder / "out/checkpoints"))
    if (entry.path().filename().string() != "best.pth") saved.push_back(entry.path());
  std::sort(saved.begin(), saved.end());
  ASSERT_GT(saved.size(), 5U);
  for (std::size_t i = 4; i < saved.size(); ++i) fs::remove(saved[i]);
  fs::remove_all(folder / "out/model");
  const CommandResult resumed = run_gradus("resume " + folder / "out");
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_TRUE(file_bytes(folder / "out/model/model.safetensors") == merged);

  EXPECT_THAT(run_gradus(finetune("wrong", "--lora rang=4")).err, HasSubstr("got 'rang=4'"));
  EXPECT_THAT(run_gradus(finetune("wrong", "--lora rank=x")).err, HasSubstr("got 'rank=x'"));
  EXPECT_THAT(run_gradus(finetune("wrong", "--lora rank=0")).err, HasSubstr("rank"));
  EXPECT_THAT(run_gradus(finetune("wrong", "--lora layers=none")).err, HasSubstr("matches 'none'"));
  EXPECT_FALSE(fs::exists(folder / "wrong"));
}

TEST_F(TextCommands, FinetuneThatIsResumedEndsAsOneThatIsNot) {
  ASSERT_EQ(run_gradus(finetune("whole", "--epochs 2")).status, 0);
  ASSERT_EQ(run_gradus(finetune("parts", "--epochs 2 --save-every 3 --keep 0")).status, 0);
  // As if it had been killed in the middle: what came after a checkpoint is gone.
  std::vector<fs::path> saved;
  for (const auto& entry : fs::directory_iterator(folder / "parts/checkpoints"))
    if (entry.path().filename().string() != "best.pth") saved.push_back(entry.path());
  std::sort(saved.begin(), saved.end());
  ASSERT_GT(saved.size(), 5U);
  for (std::size_t i = 4; i < saved.size(); ++i) fs::remove(saved[i]);
  fs::remove_all(folder / "parts/model");
  const CommandResult resumed = run_gradus("resume " + folder / "parts");
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_TRUE(file_bytes(folder / "parts/model/model.safetensors") ==
              file_bytes(folder / "whole/model/model.safetensors"));
  EXPECT_EQ(file_bytes(folder / "parts/metrics.jsonl"), file_bytes(folder / "whole/metrics.jsonl"));
}

}  // namespace
}  // namespace gradus::cli
