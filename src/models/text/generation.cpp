#include <gradus/autograd.h>
#include <gradus/models/generation.h>
#include <gradus/nn/functional.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/math.h"

namespace gradus::models {

namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

[[noreturn]] void refuse(const std::string& what) { throw ValueError("generate: " + what); }

void check(const CausalLM& model, const Tensor& ids, const GenerationOptions& o) {
  if (is_floating_point(ids.dtype()) || ids.dtype() == kBool)
    throw DtypeError(std::string("generate: input_ids must be integers, got ") + to_string(ids.dtype()));
  if (ids.dim() != 2 || ids.size(0) < 1 || ids.size(1) < 1)
    throw ShapeError("generate: input_ids must be [batch, positions] with at least one token, got " +
                     to_string(ids.sizes()));
  if (o.attention_mask.defined() && !(o.attention_mask.sizes() == ids.sizes()))
    throw ShapeError("generate: attention_mask must have the sizes of input_ids, " + to_string(ids.sizes()) + ", got " +
                     to_string(o.attention_mask.sizes()));
  if (o.pad_token_id && (*o.pad_token_id < 0 || *o.pad_token_id >= model.vocab_size()))
    refuse("pad_token_id must be in [0, " + std::to_string(model.vocab_size()) + "), got " +
           std::to_string(*o.pad_token_id));
  if (o.max_new_tokens < 0) refuse("max_new_tokens must be at least 0, got " + std::to_string(o.max_new_tokens));
  if (!(o.temperature > 0) || !std::isfinite(o.temperature))
    refuse("temperature must be above 0 and finite, got " + to_string(o.temperature));
  if (o.top_k < 0) refuse("top_k must be at least 0, got " + std::to_string(o.top_k));
  if (!(o.top_p > 0 && o.top_p <= 1)) refuse("top_p must be in (0, 1], got " + to_string(o.top_p));
  if (!(o.repetition_penalty > 0) || !std::isfinite(o.repetition_penalty))
    refuse("repetition_penalty must be above 0 and finite, got " + to_string(o.repetition_penalty));
  if (o.max_new_tokens > model.max_positions() - ids.size(1))
    refuse(std::to_string(ids.size(1)) + " tokens and " + std::to_string(o.max_new_tokens) +
           " new ones do not fit into the model's " + std::to_string(model.max_positions()) + " positions");
}

void penalise(std::vector<double>& scores, const std::vector<std::int64_t>& seen, double penalty) {
  std::vector<std::int64_t> once = seen;
  std::sort(once.begin(), once.end());
  once.erase(std::unique(once.begin(), once.end()), once.end());
  for (const std::int64_t id : once) {
    double& score = scores[static_cast<std::size_t>(id)];
    score = score < 0 ? score * penalty : score / penalty;
  }
}

// One token, of those that top_k and top_p leave; u is in [0, 1).
std::int64_t sample(const std::vector<double>& scores, const GenerationOptions& o, double u) {
  std::vector<std::int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  const auto likelier = [&](std::int64_t a, std::int64_t b) {
    const double x = scores[static_cast<std::size_t>(a)], y = scores[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  };
  const std::size_t most = o.top_k > 0 ? std::min(order.size(), static_cast<std::size_t>(o.top_k)) : order.size();
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(most), order.end(), likelier);
  order.resize(most);
  const double top = scores[static_cast<std::size_t>(order[0])];
  std::vector<double> weights;
  for (const std::int64_t id : order)
    weights.push_back(math::exp((scores[static_cast<std::size_t>(id)] - top) / o.temperature));
  const double all = std::accumulate(weights.begin(), weights.end(), 0.0);
  // The token with which the probability is reached is in, and at least one is.
  std::size_t kept = 0;
  double sum = 0;
  while (kept < weights.size() && (kept == 0 || sum < o.top_p * all)) sum += weights[kept++];
  double left = u * sum;
  for (std::size_t i = 0; i < kept; ++i) {
    left -= weights[i];
    if (left < 0) return order[i];
  }
  return order[kept - 1];
}

}  // namespace

Tensor generate(CausalLM& model, const Tensor& input_ids, const GenerationOptions& o) {
  check(model, input_ids, o);
  NoGrad guard;
  const std::int64_t batch = input_ids.size(0);
  Tensor ids = input_ids.to(kInt64), mask = o.attention_mask;
  Tensor positions;
  if (mask.defined()) {
    mask = ne(mask, 0).to(kInt64);
    positions = clamp(cumsum(mask, 1) - 1, 0).to(kInt64);  // a row counts from its first token
  }
  std::vector<bool> ended(static_cast<std::size_t>(batch), false);
  const std::int64_t fill = o.pad_token_id.value_or(o.eos_token_id.empty() ? 0 : o.eos_token_id[0]);
  KVCache cache;
  Tensor next = ids;
  for (std::int64_t step = 0; step < o.max_new_tokens; ++step) {
    DecoderInputs inputs{.attention_mask = mask, .position_ids = positions, .last_only = true};
    if (o.use_cache) inputs.cache = &cache;
    const Tensor logits = select(model(o.use_cache ? next : ids, inputs), 1, 0).to(kFloat64);
    const std::vector<double> all = logits.to_vector<double>();
    const std::vector<std::int64_t> seen = ids.to_vector<std::int64_t>();
    std::vector<double> draws(static_cast<std::size_t>(batch), 0);
    if (o.do_sample) draws = rand({batch}, {.dtype = kFloat64, .device = kCPU}, o.generator).to_vector<double>();
    std::vector<std::int64_t> tokens;
    const auto width = static_cast<std::ptrdiff_t>(logits.size(1)), length = static_cast<std::ptrdiff_t>(ids.size(1));
    for (std::int64_t row = 0; row < batch; ++row) {
      const auto at = static_cast<std::size_t>(row);
      if (ended[at]) {
        tokens.push_back(fill);
        continue;
      }
      std::vector<double> scores(all.begin() + row * width, all.begin() + (row + 1) * width);
      // What is not a number is never taken, so that a model that has diverged still generates.
      for (double& score : scores)
        if (std::isnan(score)) score = kNever;
      if (o.repetition_penalty != 1)
        penalise(scores, {seen.begin() + row * length, seen.begin() + (row + 1) * length}, o.repetition_penalty);
      const std::int64_t token = o.do_sample
                                     ? sample(scores, o, draws[at])
                                     : std::distance(scores.begin(), std::max_element(scores.begin(), scores.end()));
      tokens.push_back(token);
      ended[at] = std::find(o.eos_token_id.begin(), o.eos_token_id.end(), token) != o.eos_token_id.end();
    }
    next = tensor(tokens, {batch, 1}, {.device = ids.device()});
    ids = cat({ids, next}, 1);
    if (mask.defined()) {
      mask = cat({mask, ones({batch, 1}, {.dtype = kInt64, .device = ids.device()})}, 1);
      const Tensor one = narrow(positions, 1, positions.size(1) - 1, 1) + 1;
      positions = o.use_cache ? one : cat({positions, one}, 1);
    }
    if (o.on_token && !o.on_token(reshape(next, {batch}))) break;
    if (std::find(ended.begin(), ended.end(), false) == ended.end()) break;
  }
  return ids;
}

double perplexity(CausalLM& model, const Tensor& ids, const PerplexityOptions& o) {
  const std::int64_t window = o.max_length.value_or(model.max_positions()), stride = o.stride.value_or(window);
  if (ids.dim() != 2 || ids.size(0) != 1 || ids.size(1) < 2)
    throw ShapeError("perplexity: input_ids must be [1, positions] with at least two tokens, got " +
                     to_string(ids.sizes()));
  if (window < 2 || stride < 1 || stride > window)
    throw ValueError("perplexity: max_length must be at least 2, and stride from 1 to max_length, got " +
                     std::to_string(window) + " and " + std::to_string(stride));
  NoGrad guard;
  const std::int64_t all = ids.size(1);
  double sum = 0;
  std::int64_t tokens = 0;
  // Each window counts the tokens that none before it counted, but for its first, which nothing precedes.
  for (std::int64_t begin = 0, counted = 1; counted < all; begin += stride) {
    const std::int64_t end = std::min(begin + window, all), from = std::max(counted, begin + 1);
    if (end > from) {
      const Tensor logits = model(narrow(ids, 1, begin, end - begin));
      const Tensor seen = narrow(logits, 1, from - 1 - begin, end - from);
      sum += nn::functional::cross_entropy(reshape(seen, {end - from, seen.size(2)}),
                                           reshape(narrow(ids, 1, from, end - from), {-1}),
                                           {.reduction = nn::Reduction::Sum})
                 .item();
      tokens += end - from;
    }
    counted = end;
  }
  return math::exp(sum / static_cast<double>(tokens));
}

}  // namespace gradus::models
