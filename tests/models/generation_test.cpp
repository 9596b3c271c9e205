// Generation against transformers' (tests/fixtures/make_text_models.py), and what follows from its definition.
#include <gradus/autograd.h>
#include <gradus/io/load.h>
#include <gradus/models/generation.h>
#include <gradus/models/pretrained.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "support/paths.h"

namespace gradus {
namespace {

using models::generate;

std::string fixture(const std::string& name) { return test::source_path("tests/fixtures/text/" + name); }
std::vector<std::int64_t> list(const Tensor& x) { return x.to_vector<std::int64_t>(); }

TEST(GenerationTest, TakesTheTokensThatTransformersTakes) {
  for (const char* name : {"gpt2", "llama", "mistral", "qwen2"}) {
    const auto net = models::causal_lm_from_pretrained(fixture(name));
    const nn::StateDict want = io::load_state_dict(fixture(name) + "/expected.safetensors");
    const Tensor prompt = narrow(narrow(want.at("input_ids"), 0, 0, 1), 1, 0, 4);
    for (const bool use_cache : {true, false}) {
      EXPECT_EQ(list(generate(*net, prompt, {.max_new_tokens = 12, .use_cache = use_cache})), list(want.at("greedy")))
          << name;
      EXPECT_EQ(list(generate(*net, prompt, {.max_new_tokens = 12, .repetition_penalty = 1.3, .use_cache = use_cache})),
                list(want.at("greedy_penalty")))
          << name;
    }
  }
}

TEST(GenerationTest, FilledRowsAreAsTheyAreAlone) {
  const auto net = models::causal_lm_from_pretrained(fixture("llama"));
  const Tensor rows = tensor<std::int64_t>({{0, 0, 5, 6}, {7, 8, 9, 10}}),
               mask = tensor<std::int64_t>({{0, 0, 1, 1}, {1, 1, 1, 1}});
  for (const bool use_cache : {true, false}) {
    const Tensor both = generate(*net, rows, {.max_new_tokens = 6, .attention_mask = mask, .use_cache = use_cache});
    const Tensor first = generate(*net, tensor<std::int64_t>({{5, 6}}), {.max_new_tokens = 6});
    EXPECT_EQ(list(slice(both[0], 0, 2)), list(first));
    EXPECT_EQ(list(both[1]), list(generate(*net, narrow(rows, 0, 1, 1), {.max_new_tokens = 6})));
  }
}

TEST(GenerationTest, EndsRowsAndFillsThem) {
  const auto net = models::causal_lm_from_pretrained(fixture("gpt2"));
  const Tensor rows = tensor<std::int64_t>({{1, 2, 3}, {4, 5, 6}});
  const std::vector<std::int64_t> all = list(generate(*net, rows, {.max_new_tokens = 8}));
  const std::int64_t end = all[5];  // the third new token of the first row
  const std::vector<std::int64_t> ended =
      list(generate(*net, rows, {.max_new_tokens = 8, .eos_token_id = {end}, .pad_token_id = 60}));
  const auto width = static_cast<std::ptrdiff_t>(ended.size() / 2);
  const auto at = std::find(ended.begin() + 3, ended.begin() + width, end);
  ASSERT_NE(at, ended.begin() + width);
  for (auto after = at + 1; after != ended.begin() + width; ++after) EXPECT_EQ(*after, 60);
  const Tensor alone = generate(*net, narrow(rows, 0, 0, 1), {.max_new_tokens = 8, .eos_token_id = {end}});
  EXPECT_EQ(list(alone).back(), end) << "nothing follows where all rows have ended";
  int told = 0;
  const Tensor stopped = generate(*net, rows, {.max_new_tokens = 8, .on_token = [&](const Tensor& tokens) {
                                                 EXPECT_EQ(tokens.sizes(), (Shape{2}));
                                                 return ++told < 3;
                                               }});
  EXPECT_EQ(stopped.size(1), 6);
}

TEST(GenerationTest, SamplesAsTheProbabilitiesSay) {
  const auto net = models::causal_lm_from_pretrained(fixture("gpt2"));
  NoGrad guard;
  const std::int64_t count = 4000;
  const Tensor prompt = expand(tensor<std::int64_t>({{3, 1}}), {count, 2});
  const Tensor logits = select((*net)(tensor<std::int64_t>({{3, 1}})), 1, 1).to(kFloat64);
  const auto frequencies = [&](models::GenerationOptions o) {
    Generator generator(5);
    o.max_new_tokens = 1;
    o.do_sample = true;
    o.generator = &generator;
    std::vector<double> found(61, 0);
    for (const std::int64_t id : list(select(generate(*net, prompt, o), 1, 2)))
      found[static_cast<std::size_t>(id)] += 1 / static_cast<double>(count);
    return found;
  };
  const auto expect = [&](const std::vector<double>& found, const std::vector<double>& wanted) {
    for (std::size_t i = 0; i < wanted.size(); ++i)
      EXPECT_NEAR(found[i], wanted[i], 5 * std::sqrt(wanted[i] * (1 - wanted[i]) / count) + 1e-12) << i;
  };
  std::vector<double> p = softmax(logits / 0.7, -1).to_vector<double>();
  expect(frequencies({.temperature = 0.7, .top_k = 0}), p);

  std::vector<double> sorted = p;
  std::sort(sorted.rbegin(), sorted.rend());
  std::vector<double> three = p;
  double sum = sorted[0] + sorted[1] + sorted[2];
  for (double& x : three) x = x >= sorted[2] ? x / sum : 0;
  expect(frequencies({.temperature = 0.7, .top_k = 3}), three);

  std::vector<double> nucleus = p;
  sum = 0;
  std::size_t kept = 0;
  while (sum < 0.6) sum += sorted[kept++];
  for (double& x : nucleus) x = x >= sorted[kept - 1] ? x / sum : 0;
  expect(frequencies({.temperature = 0.7, .top_k = 0, .top_p = 0.6}), nucleus);
}

TEST(GenerationTest, RepeatsWithItsSeedAndEndsAtTheGreedyChoice) {
  const auto net = models::causal_lm_from_pretrained(fixture("gpt2"));
  const Tensor prompt = tensor<std::int64_t>({{3, 1}});
  const auto sampled = [&](std::uint64_t seed, models::GenerationOptions o) {
    Generator generator(seed);
    o.do_sample = true;
    o.generator = &generator;
    return list(generate(*net, prompt, o));
  };
  EXPECT_EQ(sampled(1, {}), sampled(1, {}));
  EXPECT_NE(sampled(1, {}), sampled(2, {}));
  const std::vector<std::int64_t> greedy = list(generate(*net, prompt));
  EXPECT_EQ(sampled(1, {.top_k = 1}), greedy);
  EXPECT_EQ(sampled(1, {.top_p = 1e-9}), greedy);
  EXPECT_EQ(sampled(1, {.temperature = 1e-4}), greedy);
}

TEST(GenerationTest, RefusesWhatIsOutOfRange) {
  const auto net = models::causal_lm_from_pretrained(fixture("gpt2"));
  const Tensor prompt = tensor<std::int64_t>({{3, 1}});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(generate(*net, prompt, {.max_new_tokens = 23}), ValueError);
  EXPECT_NO_THROW(generate(*net, prompt, {.max_new_tokens = 22}));
  EXPECT_EQ(list(generate(*net, prompt, {.max_new_tokens = 0})), list(prompt));
  EXPECT_THROW(generate(*net, prompt, {.max_new_tokens = -1}), ValueError);
  EXPECT_THROW(generate(*net, prompt, {.temperature = 0}), ValueError);
  EXPECT_THROW(generate(*net, prompt, {.temperature = nan}), ValueError);
  EXPECT_THROW(generate(*net, prompt, {.top_k = -1}), ValueError);
  EXPECT_THROW(generate(*net, prompt, {.top_p = 0}), ValueError);
  EXPECT_THROW(generate(*net, prompt, {.top_p = 1.1}), ValueError);
  EXPECT_THROW(generate(*net, prompt, {.repetition_penalty = 0}), ValueError);
  EXPECT_THROW(generate(*net, zeros({1, 0}, {.dtype = kInt64})), ShapeError);
  EXPECT_THROW(generate(*net, prompt, {.max_new_tokens = std::numeric_limits<std::int64_t>::max()}), ValueError);
  EXPECT_THROW(generate(*net, tensor({{3.5, 1.5}})), DtypeError);
  EXPECT_THROW(generate(*net, prompt, {.pad_token_id = 61}), ValueError);
  EXPECT_THROW(generate(*net, prompt, {.pad_token_id = -1}), ValueError);
  for (const Tensor& mask : {ones({2}), ones({1, 3}), ones({2, 2})}) {
    try {
      generate(*net, prompt, {.attention_mask = mask});
      ADD_FAILURE() << mask.to_string();
    } catch (const ShapeError& error) {
      EXPECT_EQ(std::string(error.what()).find("generate: attention_mask must have the sizes of input_ids, [1, 2]"), 0u)
          << error.what();
    }
  }
}

TEST(GenerationTest, PerplexityIsTheExponentialOfTheMeanLoss) {
  const auto net = models::causal_lm_from_pretrained(fixture("gpt2"), {.dtype = kFloat64});
  const Tensor ids = reshape(remainder(arange(20) * 7 + 3, tensor(61)), {1, 20});
  NoGrad guard;
  const double loss = models::causal_lm_loss((*net)(ids), ids).item();
  EXPECT_NEAR(models::perplexity(*net, ids), std::exp(loss), 1e-9);
  // Windows of 8 that move by 4: each counts the tokens that are new in it.
  double sum = 0;
  for (std::int64_t begin = 0, counted = 1; counted < 20; begin += 4) {
    const std::int64_t end = std::min<std::int64_t>(begin + 8, 20);
    const Tensor p = log_softmax((*net)(narrow(ids, 1, begin, end - begin)), -1);
    for (std::int64_t t = counted; t < end; ++t) sum -= p[{0, t - 1 - begin, ids[{0, t}].item<std::int64_t>()}].item();
    counted = end;
  }
  EXPECT_NEAR(models::perplexity(*net, ids, {.max_length = 8, .stride = 4}), std::exp(sum / 19), 1e-9);
  EXPECT_THROW(models::perplexity(*net, narrow(ids, 1, 0, 1)), ShapeError);
  EXPECT_THROW(models::perplexity(*net, ids, {.stride = 0}), ValueError);
}

}  // namespace
}  // namespace gradus
