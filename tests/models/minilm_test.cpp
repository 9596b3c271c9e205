// An encoder of sentences in the layout of all-MiniLM-L6-v2 (tests/fixtures/make_minilm.py): its embeddings, and a
// small task learnt by an adapter beside it. GRADUS_MINILM and GRADUS_MINILM_EXPECTED name folders of the real one.
#include <gmock/gmock.h>
#include <gradus/gradus.h>
#include <gradus/models/pretrained.h>
#include <gradus/text/tokenizer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/paths.h"

namespace gradus {
namespace {

namespace F = nn::functional;

std::string setting(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : test::source_path("tests/fixtures/text/minilm");
}
std::string folder() { return setting("GRADUS_MINILM"); }

struct Batch {
  Tensor ids, mask;
};

Batch batch_of(const text::Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  std::vector<std::vector<std::int64_t>> rows;
  std::size_t width = 0;
  for (const std::string& text : texts) {
    rows.push_back(tokenizer.encode(text, {.max_length = 128}).ids);
    width = std::max(width, rows.back().size());
  }
  std::vector<std::int64_t> ids, mask;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < width; ++i) {
      ids.push_back(i < row.size() ? row[i] : tokenizer.pad_token_id().value());
      mask.push_back(i < row.size() ? 1 : 0);
    }
  }
  const Shape sizes{std::ssize(texts), static_cast<std::int64_t>(width)};
  return {tensor(ids, sizes), tensor(mask, sizes)};
}

TEST(MiniLM, SentencesHaveTheVectorsOfTransformers) {
  const auto tokenizer = text::Tokenizer::from_pretrained(folder());
  auto net = models::from_pretrained<models::BERT>(folder());
  const std::string at = setting("GRADUS_MINILM_EXPECTED");
  const std::vector<std::string> sentences = nlohmann::json::parse(std::ifstream(at + "/sentences.json"));
  const nn::StateDict want = io::load_state_dict(at + "/expected.safetensors");
  const Batch batch = batch_of(tokenizer, sentences);
  ASSERT_EQ(batch.ids.sizes(), want.at("ids").sizes());
  EXPECT_EQ(batch.ids.to_vector<std::int64_t>(), want.at("ids").to_vector<std::int64_t>());
  const NoGrad guard;
  const models::BERTOutput output = net(batch.ids, {.attention_mask = batch.mask});
  const Tensor vectors = F::normalize(models::mean_pooling(output.last_hidden_state, batch.mask));
  EXPECT_LT((vectors - want.at("vectors")).abs().max().item(), 1e-5);
}

TEST(MiniLM, AnAdapterLearnsATaskBesideIt) {
  const std::vector<std::string> food{"the people find water", "a day of sweet water", "they make a sweet day",
                                      "sweet water is long",   "some sweet is made",   "the sweet of the day"};
  const std::vector<std::string> code{"for each number write", "look at a number",    "write the number now",
                                      "the number is out",     "number of the write", "how many number write"};
  const auto tokenizer = text::Tokenizer::from_pretrained(folder());
  std::vector<std::string> all = food;
  all.insert(all.end(), code.begin(), code.end());
  std::vector<std::int64_t> labels(food.size(), 0);
  labels.resize(all.size(), 1);
  const Batch batch = batch_of(tokenizer, all);
  const Tensor target = tensor(labels);

  manual_seed(1);
  auto net = models::from_pretrained<models::BERTForSequenceClassification>(folder(), {.num_labels = 2});
  const nn::StateDict base = nn::clone(net).state_dict();
  nn::lora(net, "*attention.self.*", {.rank = 4, .alpha = 8});
  nn::unfreeze(net.classifier);
  net.train();
  optim::AdamW optimizer(optim::filter(net, [](const Tensor& p) { return p.requires_grad(); }), {.lr = 1e-2});
  const auto loss = [&] { return F::cross_entropy(net(batch.ids, {.attention_mask = batch.mask}), target); };
  training::ReceiptReport report;
  double first = 0, last = 0;
  {
    training::Receipt receipt({{"net", net}}, {{"adapter", optimizer}});
    for (int step = 0; step < 60; ++step) {
      const Tensor value = loss();
      optimizer.minimize(value);
      if (step == 0) first = value.item();
      last = value.item();
    }
    report = receipt.report();
  }
  EXPECT_LT(last, 0.3 * first);
  const nn::StateDict after = net.state_dict();
  for (const auto& [name, tensor] : base) {
    if (name.starts_with("classifier.")) continue;
    const Tensor now = after.at(name);
    EXPECT_EQ(std::memcmp(tensor.const_data_ptr(), now.const_data_ptr(),
                          static_cast<std::size_t>(tensor.numel() * tensor.element_size())),
              0)
        << name;
  }
  const training::ReceiptVerdict verdict = training::verify(report, after, "net");
  EXPECT_TRUE(verdict.holds()) << verdict.to_string();
  EXPECT_GT(verdict.frozen.size(), 20U);
  EXPECT_THAT(verdict.trained, testing::Contains(testing::HasSubstr("adapters.default.lora_A")));
}

}  // namespace
}  // namespace gradus
