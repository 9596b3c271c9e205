#include <gradus/models/bert.h>
#include <gradus/ops/attention.h>

#include "models/text/blocks.h"
#include "nn/adapters/prefix.h"

namespace gradus::models {

namespace {

const BERTOptions& checked(const BERTOptions& o) {
  check_sizes("BERT", {{"vocab_size", o.vocab_size},
                       {"hidden_size", o.hidden_size},
                       {"num_hidden_layers", o.num_hidden_layers},
                       {"num_attention_heads", o.num_attention_heads},
                       {"intermediate_size", o.intermediate_size},
                       {"max_position_embeddings", o.max_position_embeddings},
                       {"type_vocab_size", o.type_vocab_size},
                       {"num_labels", o.num_labels}});
  check_divides("BERT", {"num_attention_heads", o.num_attention_heads}, {"hidden_size", o.hidden_size});
  check_probability("BERT", "attention_probs_dropout_prob", o.attention_probs_dropout_prob);
  activation("BERT", o.hidden_act);
  if (o.pad_token_id && (*o.pad_token_id < 0 || *o.pad_token_id >= o.vocab_size))
    throw ValueError("BERT: pad_token_id must be in [0, " + std::to_string(o.vocab_size) + "), got " +
                     std::to_string(*o.pad_token_id));
  return o;
}

nn::Linear dense_layer(std::int64_t in, std::int64_t out, const BERTOptions& o) {
  return normal_linear(in, out, true, o.initializer_range);
}

nn::LayerNorm norm_layer(const BERTOptions& o) { return nn::LayerNorm(o.hidden_size, {.eps = o.layer_norm_eps}); }

BERTOptions without_pooling(BERTOptions o) {
  o.add_pooling_layer = false;
  return o;
}
BERTOptions with_pooling(BERTOptions o) {
  o.add_pooling_layer = true;
  return o;
}

double head_dropout(const BERTOptions& o) { return o.classifier_dropout.value_or(o.hidden_dropout_prob); }

void check_numbers(const char* name, const Tensor& x, const Shape& sizes, std::int64_t end) {
  const std::string what = std::string("BERT: ") + name;
  if (is_floating_point(x.dtype()) || x.dtype() == kBool)
    throw DtypeError(what + " must be integers, got " + to_string(x.dtype()));
  if (!(x.sizes() == sizes)) throw ShapeError(what + " must be " + to_string(sizes) + ", got " + to_string(x.sizes()));
  if (x.numel() == 0) return;
  const auto least = x.min().item<std::int64_t>(), most = x.max().item<std::int64_t>();
  if (least < 0 || most >= end)
    throw IndexError(what + " must be from 0 to " + std::to_string(end - 1) + ", got " +
                     std::to_string(least < 0 ? least : most));
}

}  // namespace

BERT::Embeddings::Embeddings(const BERTOptions& o)
    : Module("BertEmbeddings"),
      word_embeddings(add("word_embeddings", normal_embedding(checked(o).vocab_size, o.hidden_size, o.initializer_range,
                                                              {.padding_idx = o.pad_token_id}))),
      position_embeddings(
          add("position_embeddings", normal_embedding(o.max_position_embeddings, o.hidden_size, o.initializer_range))),
      token_type_embeddings(
          add("token_type_embeddings", normal_embedding(o.type_vocab_size, o.hidden_size, o.initializer_range))),
      LayerNorm(add("LayerNorm", norm_layer(o))),
      dropout(add("dropout", nn::Dropout(o.hidden_dropout_prob))) {}

Tensor BERT::Embeddings::forward(const Tensor& ids, const BERTInputs& inputs) {
  const Tensor types = inputs.token_type_ids.defined() ? inputs.token_type_ids : zeros_like(ids);
  const Tensor positions =
      inputs.position_ids.defined() ? inputs.position_ids : unsqueeze(arange(ids.size(1), {.device = ids.device()}), 0);
  return dropout(LayerNorm(word_embeddings(ids) + token_type_embeddings(types) + position_embeddings(positions)));
}

BERT::Output::Output(std::int64_t in_features, const BERTOptions& o)
    : Module("BertOutput"),
      dense(add("dense", dense_layer(in_features, o.hidden_size, o))),
      LayerNorm(add("LayerNorm", norm_layer(o))),
      dropout(add("dropout", nn::Dropout(o.hidden_dropout_prob))) {}

Tensor BERT::Output::forward(const Tensor& x, const Tensor& residual) {
  return LayerNorm(dropout(dense(x)) + residual);
}

BERT::SelfAttention::SelfAttention(const BERTOptions& o)
    : Module("BertSelfAttention"),
      query(add("query", dense_layer(o.hidden_size, o.hidden_size, o))),
      key(add("key", dense_layer(o.hidden_size, o.hidden_size, o))),
      value(add("value", dense_layer(o.hidden_size, o.hidden_size, o))),
      heads_(o.num_attention_heads),
      dropout_(o.attention_probs_dropout_prob) {}

Tensor BERT::SelfAttention::forward(const Tensor& x, const Tensor& mask) {
  const double p = is_training() ? dropout_ : 0;
  Tensor k = split_heads(key(x), heads_), v = split_heads(value(x), heads_), seen = mask;
  const std::int64_t before = nn::detail::prefix_length(*this);
  nn::detail::put_prefix(*this, k, v);
  if (before > 0 && mask.defined())
    seen = cat({ones({mask.size(0), 1, 1, before}, {.dtype = kBool, .device = mask.device()}), mask}, -1);
  return join_heads(scaled_dot_product_attention(split_heads(query(x), heads_), k, v, seen, p));
}

BERT::Attention::Attention(const BERTOptions& o)
    : Module("BertAttention"), self(add("self", SelfAttention(o))), output(add("output", Output(o.hidden_size, o))) {}

BERT::Dense::Dense(const char* type, std::int64_t in_features, std::int64_t out_features, const BERTOptions& o)
    : Module(type), dense(add("dense", dense_layer(in_features, out_features, o))) {}

BERT::Layer::Layer(const BERTOptions& o)
    : Module("BertLayer"),
      attention(add("attention", Attention(o))),
      intermediate(add("intermediate", Dense("BertIntermediate", o.hidden_size, o.intermediate_size, o))),
      output(add("output", Output(o.intermediate_size, o))),
      act_(activation("BERT", o.hidden_act)) {}

Tensor BERT::Layer::forward(const Tensor& x, const Tensor& mask) {
  const Tensor y = attention.output.forward(attention.self.forward(x, mask), x);
  return output.forward(act_(intermediate.dense(y)), y);
}

BERT::Encoder::Encoder(const BERTOptions& o) : Module("BertEncoder") {
  nn::ModuleList layers;
  for (std::int64_t i = 0; i < o.num_hidden_layers; ++i) layers.append(Layer(o));
  layer = add("layer", layers);
}

BERT::BERT(const BERTOptions& o)
    : TokenModule("BertModel"),
      embeddings(add("embeddings", Embeddings(o))),
      encoder(add("encoder", Encoder(o))),
      options_(o) {
  if (o.add_pooling_layer) pooler.emplace(add("pooler", Dense("BertPooler", o.hidden_size, o.hidden_size, o)));
}

BERTOutput BERT::run(const Tensor& ids, const BERTInputs& inputs) {
  if (ids.dim() != 2 || ids.size(1) < 1)
    throw ShapeError("BERT: input_ids must be [batch, positions] with at least one position, got " +
                     gradus::to_string(ids.sizes()));
  check_numbers("input_ids", ids, ids.sizes(), options_.vocab_size);
  if (inputs.token_type_ids.defined())
    check_numbers("token_type_ids", inputs.token_type_ids, ids.sizes(), options_.type_vocab_size);
  if (inputs.position_ids.defined())
    check_numbers("position_ids", inputs.position_ids, ids.sizes(), options_.max_position_embeddings);
  if (ids.size(1) > options_.max_position_embeddings)
    throw ShapeError("BERT: input_ids must have at most " + std::to_string(options_.max_position_embeddings) +
                     " positions (max_position_embeddings), got " + gradus::to_string(ids.sizes()));
  Tensor mask;
  if (inputs.attention_mask.defined()) {
    if (!(inputs.attention_mask.sizes() == ids.sizes()))
      throw ShapeError("BERT: attention_mask must be " + gradus::to_string(ids.sizes()) + ", got " +
                       gradus::to_string(inputs.attention_mask.sizes()));
    mask = reshape(ne(inputs.attention_mask, 0), {ids.size(0), 1, 1, ids.size(1)});
  }
  Tensor x = embeddings.forward(ids, inputs);
  for (nn::Module& layer : encoder.layer) x = call_block(*layer.as<Layer>(), x, mask);
  return {x, pooler ? tanh(pooler->dense(select(x, 1, 0))) : Tensor()};
}

BERTForSequenceClassification::BERTForSequenceClassification(const BERTOptions& o)
    : TokenModule("BertForSequenceClassification"),
      bert(add("bert", BERT(with_pooling(o)))),
      dropout(add("dropout", nn::Dropout(head_dropout(o)))),
      classifier(add("classifier", dense_layer(o.hidden_size, o.num_labels, o))) {}

Tensor BERTForSequenceClassification::run(const Tensor& ids, const BERTInputs& inputs) {
  return classifier(dropout(bert(ids, inputs).pooler_output));
}

BERTForTokenClassification::BERTForTokenClassification(const BERTOptions& o)
    : TokenModule("BertForTokenClassification"),
      bert(add("bert", BERT(without_pooling(o)))),
      dropout(add("dropout", nn::Dropout(head_dropout(o)))),
      classifier(add("classifier", dense_layer(o.hidden_size, o.num_labels, o))) {}

Tensor BERTForTokenClassification::run(const Tensor& ids, const BERTInputs& inputs) {
  return classifier(dropout(bert(ids, inputs).last_hidden_state));
}

BERTForMaskedLM::Transform::Transform(const BERTOptions& o)
    : Module("BertPredictionHeadTransform"),
      dense(add("dense", dense_layer(o.hidden_size, o.hidden_size, o))),
      LayerNorm(add("LayerNorm", norm_layer(o))),
      act_(activation("BERT", o.hidden_act)) {}

BERTForMaskedLM::Predictions::Predictions(const BERTOptions& o, const nn::Embedding& words)
    : Module("BertLMPredictionHead"),
      bias(add("bias", nn::Parameter(zeros({o.vocab_size})))),
      transform(add("transform", Transform(o))),
      decoder(dense_layer(o.hidden_size, o.vocab_size, o)) {
  if (o.tie_word_embeddings) decoder.weight = words.weight;
  decoder.bias = bias;
  decoder = add("decoder", decoder);
}

BERTForMaskedLM::Head::Head(const BERTOptions& o, const nn::Embedding& words)
    : Module("BertOnlyMLMHead"), predictions(add("predictions", Predictions(o, words))) {}

BERTForMaskedLM::BERTForMaskedLM(const BERTOptions& o)
    : TokenModule("BertForMaskedLM"),
      bert(add("bert", BERT(without_pooling(o)))),
      cls(add("cls", Head(o, bert.embeddings.word_embeddings))) {}

Tensor BERTForMaskedLM::run(const Tensor& ids, const BERTInputs& inputs) {
  return cls.predictions(bert(ids, inputs).last_hidden_state);
}

Tensor mean_pooling(const Tensor& hidden, const Tensor& mask) {
  if (hidden.dim() != 3 || !(mask.sizes() == Shape{hidden.size(0), hidden.size(1)}))
    throw ShapeError(
        "mean_pooling: needs last_hidden_state [batch, positions, size] and attention_mask [batch, "
        "positions], got " +
        to_string(hidden.sizes()) + " and " + to_string(mask.sizes()));
  const Tensor weight = unsqueeze(ne(mask, 0).to(hidden.dtype()), -1);
  return sum(hidden * weight, 1) / clamp(sum(weight, 1), 1e-9);
}

}  // namespace gradus::models
