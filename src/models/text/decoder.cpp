#include <gradus/autograd.h>
#include <gradus/models/decoder.h>
#include <gradus/nn/functional.h>

#include <algorithm>
#include <tuple>

#include "nn/adapters/prefix.h"

namespace gradus::models {

namespace {

// Which keys [0, all) the queries at [past, past + count) see: those before them, and not further back than a window.
Tensor causal_mask(std::int64_t past, std::int64_t count, std::optional<std::int64_t> window, Device device) {
  const Tensor query = reshape(arange(past, past + count, 1, {.device = device}), {1, 1, count, 1});
  const Tensor key = reshape(arange(past + count, {.device = device}), {1, 1, 1, past + count});
  const Tensor seen = le(key, query);
  return window ? logical_and(seen, gt(key, query - *window)) : seen;
}

void check_ids(const Tensor& ids, std::int64_t vocabulary) {
  if (is_floating_point(ids.dtype()) || ids.dtype() == kBool)
    throw DtypeError(std::string("CausalLM: input_ids must be integers, got ") + to_string(ids.dtype()));
  if (ids.dim() != 2 || ids.size(1) < 1)
    throw ShapeError("CausalLM: input_ids must be [batch, positions] with at least one position, got " +
                     to_string(ids.sizes()));
  if (ids.numel() == 0) return;
  const auto least = ids.min().item<std::int64_t>(), most = ids.max().item<std::int64_t>();
  if (least < 0 || most >= vocabulary)
    throw IndexError("CausalLM: input_ids must be from 0 to " + std::to_string(vocabulary - 1) + ", got " +
                     std::to_string(least < 0 ? least : most));
}

}  // namespace

void KVCache::append(Tensor& kept, std::int64_t length, const Tensor& next) {
  const std::int64_t needed = length + next.size(2);
  if (is_grad_enabled() && (next.requires_grad() || (kept.defined() && kept.requires_grad()))) {
    kept = length == 0 ? next : cat({narrow(kept, 2, 0, length), next}, 2);
    return;
  }
  NoGrad guard;
  // What a copy of the cache holds too must not change under it.
  if (!kept.defined() || kept.size(2) < needed || kept.impl()->use_count() > 1) {
    Shape sizes = next.sizes();
    sizes[2] = std::max<std::int64_t>(needed, 2 * length);
    Tensor room = empty(sizes, {.dtype = next.dtype(), .device = next.device()});
    if (length > 0) narrow(room, 2, 0, length).copy_(narrow(kept, 2, 0, length));
    kept = room;
  }
  narrow(kept, 2, length, next.size(2)).copy_(next);
}

std::pair<Tensor, Tensor> KVCache::update(std::size_t layer, const Tensor& key, const Tensor& value) {
  if (key.dim() != 4 || !(value.dim() == 4 && value.size(0) == key.size(0) && value.size(2) == key.size(2)))
    throw ShapeError("KVCache: needs keys and values [batch, heads, positions, head_dim], got " +
                     to_string(key.sizes()) + " and " + to_string(value.sizes()));
  if (layer >= layers_.size()) layers_.resize(layer + 1);
  auto& [keys, values] = layers_[layer];
  const auto of = [](const Tensor& x) { return to_string(x.dtype()) + (" " + to_string(x.sizes())); };
  if (length_ > 0 && (!keys.defined() || keys.size(0) != key.size(0) || keys.size(1) != key.size(1) ||
                      keys.size(3) != key.size(3) || keys.dtype() != key.dtype()))
    throw ShapeError(
        "KVCache: new keys must have the type and sizes of the kept ones, apart from their positions, got " + of(key) +
        " after " + (keys.defined() ? of(keys) : "none"));
  append(keys, length_, key);
  append(values, length_, value);
  const std::int64_t all = length_ + key.size(2);
  return {narrow(keys, 2, 0, all), narrow(values, 2, 0, all)};
}

void CausalLM::Step::extend(const nn::Module& attention, std::int64_t layer, Tensor& k, Tensor& v) const {
  if (prefix) {
    const std::int64_t own = nn::detail::prefix_length(attention);
    if (own != *prefix)
      throw ValueError("CausalLM: a prefix must be on the attention of all layers, got " + std::to_string(*prefix) +
                       " positions in the first and " + std::to_string(own) + " in layer " + std::to_string(layer));
    nn::detail::put_prefix(attention, k, v);
  }
  if (cache != nullptr) std::tie(k, v) = cache->update(static_cast<std::size_t>(layer), k, v);
}

Tensor CausalLM::forward(const Tensor& ids, const DecoderInputs& inputs) {
  check_ids(ids, vocab_size());
  const std::int64_t batch = ids.size(0), count = ids.size(1);
  const bool continues = inputs.cache != nullptr && inputs.cache->length_ > 0;
  Step step{.seen = {}, .position_ids = inputs.position_ids, .cache = inputs.cache, .prefix = {}};
  if (const nn::Module* first = first_attention(); first != nullptr && !continues)
    step.prefix = nn::detail::prefix_length(*first);
  const std::int64_t prefix = continues ? inputs.cache->prefix_ : step.prefix.value_or(0);
  const std::int64_t past = continues ? inputs.cache->length_ : prefix, all = past + count;
  if (!step.position_ids.defined()) {
    step.position_ids = unsqueeze(arange(past, all, 1, {.device = ids.device()}), 0);
  } else if (is_floating_point(step.position_ids.dtype()) || step.position_ids.dtype() == kBool) {
    throw DtypeError(std::string("CausalLM: position_ids must be integers, got ") +
                     gradus::to_string(step.position_ids.dtype()));
  } else if (!(step.position_ids.sizes() == ids.sizes())) {
    throw ShapeError("CausalLM: position_ids must be like input_ids, " + gradus::to_string(ids.sizes()) + ", got " +
                     gradus::to_string(step.position_ids.sizes()));
  } else if (prefix > 0) {
    step.position_ids = step.position_ids + prefix;
  }
  std::optional<std::int64_t> window = sliding_window();
  if (window && *window >= all) window.reset();
  if (inputs.attention_mask.defined() && !(inputs.attention_mask.sizes() == Shape{batch, all - prefix}))
    throw ShapeError("CausalLM: attention_mask must be " + gradus::to_string(Shape{batch, all - prefix}) + ", got " +
                     gradus::to_string(inputs.attention_mask.sizes()));
  if (inputs.attention_mask.defined()) {
    Tensor filled = ne(inputs.attention_mask, 0);
    if (prefix > 0) filled = cat({ones({batch, prefix}, {.dtype = kBool, .device = filled.device()}), filled}, 1);
    filled = reshape(filled, {batch, 1, 1, all});
    step.seen.mask = logical_and(causal_mask(past, count, window, ids.device()), filled);
  } else if (window || (past > 0 && count > 1)) {
    step.seen.mask = causal_mask(past, count, window, ids.device());
  } else {
    step.seen.is_causal = count > 1;
  }
  Tensor hidden = hidden_states(ids, step);
  // After an error the count is what it was, and the next call begins there again.
  if (inputs.cache != nullptr) {
    inputs.cache->length_ = all;
    inputs.cache->prefix_ = prefix;
  }
  if (inputs.last_only) hidden = narrow(hidden, 1, count - 1, 1);
  return logits(hidden);
}

Tensor causal_lm_loss(const Tensor& logits, const Tensor& labels) {
  if (logits.dim() != 3 || labels.dim() != 2 || logits.size(0) != labels.size(0) || logits.size(1) != labels.size(1) ||
      labels.size(1) < 2)
    throw ShapeError(
        "causal_lm_loss: needs logits [batch, positions, vocabulary] and labels [batch, positions] with at least two "
        "positions, got " +
        gradus::to_string(logits.sizes()) + " and " + gradus::to_string(labels.sizes()));
  const std::int64_t count = labels.size(1) - 1;
  return nn::functional::cross_entropy(reshape(narrow(logits, 1, 0, count), {-1, logits.size(2)}),
                                       reshape(narrow(labels, 1, 1, count), {-1}));
}

}  // namespace gradus::models
