// Attention, transformers and recurrent layers against PyTorch's: tests/traces/sequences.json; and what that cannot
// say.
#include <gradus/autograd.h>
#include <gradus/gradus.h>
#include <gradus/ops/attention.h>

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "support/formula.h"
#include "support/gradcheck.h"
#include "support/message.h"
#include "support/paths.h"

namespace gradus {
namespace {

using test::message_of;

using nlohmann::json;
using Tensors = std::vector<Tensor>;

Shape shape(const json& j) { return Shape(j.get<std::vector<std::int64_t>>()); }
std::vector<double> numbers(const json& j) { return j.get<std::vector<double>>(); }

const json& trace(const std::string& name) {
  static const json all = json::parse(std::ifstream(test::source_path("tests/traces/sequences.json")));
  for (const json& one : all["cases"])
    if (one["name"] == name) return one;
  throw ValueError("no case " + name);
}

Tensors inputs_of(const std::vector<Shape>& sizes) {
  Tensors x;
  for (const Shape& s : sizes) x.push_back(test::uniform("x" + std::to_string(x.size()), s).requires_grad_());
  return x;
}

void replay(const std::string& name, nn::Module* module, const Tensors& x, const std::function<Tensors()>& call) {
  SCOPED_TRACE(name);
  const json& recorded = trace(name);
  const Tensors outputs = call();
  ASSERT_EQ(outputs.size(), recorded["outputs"].size());
  Tensor loss = zeros({}, {.dtype = kFloat64});
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    test::expect_sketch(outputs[i], numbers(recorded["outputs"][i]), 1e-12, "output " + std::to_string(i));
    loss = loss + sum(outputs[i] * test::uniform("y" + std::to_string(i), outputs[i].sizes()));
  }
  loss.backward();
  std::vector<nn::NamedTensor> named;
  for (std::size_t i = 0; i < x.size(); ++i) named.emplace_back("x" + std::to_string(i), x[i]);
  if (module != nullptr) {
    for (const auto& p : module->named_parameters()) named.push_back(p);
  }
  EXPECT_EQ(named.size(), recorded["grads"].size());
  for (const auto& [key, t] : named) test::expect_sketch(t.grad(), numbers(recorded["grads"][key]), 1e-11, key);
}

template <class M>
void replay(const std::string& name, M module, const std::vector<Shape>& sizes,
            const std::function<Tensors(M&, const Tensors&)>& call) {
  const json& recorded = trace(name);
  EXPECT_EQ(recorded["repr"], module.to_string()) << name;
  const nn::StateDict dict = module.state_dict();
  EXPECT_EQ(dict.size(), recorded["state"].size()) << name;
  for (const auto& [key, s] : recorded["state"].items()) EXPECT_EQ(dict.at(key).sizes(), shape(s)) << name << key;
  module.to(kFloat64);
  test::fill(module);
  const Tensors x = inputs_of(sizes);
  replay(name, &module, x, [&] { return call(module, x); });
}

Tensor bools(const std::vector<int>& values, const Shape& sizes) { return tensor(values, sizes).to(kBool); }

TEST(Attention, ScaledDotProduct) {
  const Shape q{2, 3, 4, 6}, k{2, 3, 5, 6}, v{2, 3, 5, 7};
  const auto sdpa = [](const std::string& name, const std::vector<Shape>& sizes, const Tensor& mask = Tensor(),
                       bool causal = false, std::optional<double> scale = {}, bool gqa = false) {
    const Tensors x = inputs_of(sizes);
    replay(name, nullptr, x, [&] {
      return Tensors{scaled_dot_product_attention(x[0], x[1], x[2], x.size() > 3 ? x[3] : mask, 0, causal, scale, gqa)};
    });
  };
  sdpa("sdpa", {q, k, v});
  sdpa("sdpa_scale", {q, k, v}, {}, false, 0.3);
  sdpa("sdpa_causal", {q, k, v}, {}, true);
  sdpa("sdpa_bool_mask", {q, k, v}, bools({1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1}, {4, 5}));
  sdpa("sdpa_float_mask", {q, k, v, {4, 5}});
  sdpa("sdpa_gqa", {{2, 6, 4, 5}, {2, 3, 4, 5}, {2, 3, 4, 5}}, {}, false, {}, true);
}

TEST(Attention, MultiHead) {
  using M = nn::MultiheadAttention;
  const std::int64_t e = 8, n = 2, l = 4, s = 5;
  const std::vector<Shape> cross{{l, n, e}, {s, n, e}, {s, n, e}};
  const Tensor pad = bools({0, 0, 1, 0, 1, 0, 0, 0, 0, 0}, {2, 5});
  const Tensor hide = triu(ones({l, s}, {.dtype = kBool}), 1);
  const auto with = [](const nn::AttentionOptions& o) {
    return [o](M& m, const Tensors& x) {
      const auto [y, w] = m(x[0], x[x.size() > 1 ? 1 : 0], x[x.size() > 1 ? 2 : 0], o);
      EXPECT_EQ(w.defined(), o.need_weights);
      return w.defined() ? Tensors{y, w} : Tensors{y};
    };
  };
  replay<M>("mha_self", M(e, 2), {{l, n, e}}, with({}));
  replay<M>("mha_cross", M(e, 2), cross, with({}));
  replay<M>("mha_plain", M(e, 4, {.bias = false}), cross, with({.need_weights = false}));
  replay<M>("mha_heads", M(e, 2), cross, with({.average_attn_weights = false}));
  replay<M>("mha_batch_first", M(e, 2, {.batch_first = true}), {{n, l, e}, {n, s, e}, {n, s, e}}, with({}));
  replay<M>("mha_unbatched", M(e, 2), {{l, e}, {s, e}, {s, e}}, with({}));
  replay<M>("mha_kv_dims", M(e, 2, {.kdim = 5, .vdim = 6}), {{l, n, e}, {s, n, 5}, {s, n, 6}}, with({}));
  replay<M>("mha_extras", M(e, 2, {.add_bias_kv = true, .add_zero_attn = true}), cross,
            with({.key_padding_mask = pad, .attn_mask = hide}));
  replay<M>("mha_masks", M(e, 2), cross, with({.key_padding_mask = pad, .need_weights = false, .attn_mask = hide}));
  replay<M>("mha_float_mask", M(e, 2), cross, with({.attn_mask = test::uniform("mask", {n * 2, l, s})}));
  replay<M>("mha_causal", M(e, 2), {{l, n, e}}, with({.need_weights = false, .is_causal = true}));
}

TEST(Attention, TransformerEncoders) {
  using Layer = nn::TransformerEncoderLayer;
  const std::int64_t l = 5, n = 2, e = 8;
  const Tensor pad = bools({0, 0, 0, 0, 1, 0, 0, 0, 0, 0}, {2, 5});
  const Tensor causal = triu(ones({l, l}, {.dtype = kBool}), 1);
  const auto with = []<class M>(const nn::TransformerMasks& masks) {
    return [masks](M& m, const Tensors& x) { return Tensors{m(x[0], masks)}; };
  };
  replay<Layer>("encoder_layer", Layer(e, 2, {.dim_feedforward = 16, .dropout = 0}), {{l, n, e}},
                [](Layer& m, const Tensors& x) { return Tensors{m(x[0])}; });
  replay<Layer>("encoder_layer_first",
                Layer(e, 2, {.dim_feedforward = 16, .dropout = 0, .activation = "gelu", .norm_first = true}),
                {{l, n, e}}, with.operator()<Layer>({.mask = causal}));
  replay<Layer>("encoder_layer_masks",
                Layer(e, 2, {.dim_feedforward = 16, .dropout = 0, .batch_first = true, .bias = false}), {{n, l, e}},
                with.operator()<Layer>({.mask = causal, .src_key_padding_mask = pad}));
  using Encoder = nn::TransformerEncoder;
  replay<Encoder>("encoder", Encoder(Layer(e, 2, {.dim_feedforward = 16, .dropout = 0}), 3, nn::LayerNorm(e)),
                  {{l, n, e}}, with.operator()<Encoder>({.mask = causal, .src_key_padding_mask = pad}));
}

TEST(Recurrent, Layers) {
  const std::int64_t l = 4, n = 2, i = 3, h = 5;
  const auto run = []<class M>(const std::string& name, M module, const std::vector<Shape>& sizes) {
    replay<M>(name, std::move(module), sizes, [](M& m, const Tensors& x) {
      if constexpr (std::is_same_v<M, nn::LSTM>) {
        const auto [y, state] = m(x[0], x.size() > 1 ? nn::LSTMState{x[1], x[2]} : nn::LSTMState{});
        return Tensors{y, state.h, state.c};
      } else if constexpr (std::is_same_v<M, nn::LSTMCell>) {
        const auto [hidden, cell] = m(x[0], {x[1], x[2]});
        return Tensors{hidden, cell};
      } else if constexpr (std::is_same_v<M, nn::RNNCell> || std::is_same_v<M, nn::GRUCell>) {
        return Tensors{x.size() > 1 ? m(x[0], x[1]) : m(x[0])};
      } else {
        const auto [y, state] = m(x[0], x.size() > 1 ? x[1] : Tensor());
        return Tensors{y, state};
      }
    });
  };
  run("rnn", nn::RNN(i, h), {{l, n, i}});
  run("rnn_relu", nn::RNN(i, h, {.num_layers = 2, .nonlinearity = "relu", .bidirectional = true}),
      {{l, n, i}, {4, n, h}});
  run("lstm", nn::LSTM(i, h), {{l, n, i}});
  run("lstm_all", nn::LSTM(i, h, {.num_layers = 2, .batch_first = true, .bidirectional = true, .proj_size = 2}),
      {{n, l, i}, {4, n, 2}, {4, n, h}});
  run("lstm_no_bias", nn::LSTM(i, h, {.num_layers = 2, .bias = false}), {{l, n, i}});
  run("lstm_unbatched", nn::LSTM(i, h), {{l, i}, {1, h}, {1, h}});
  run("gru", nn::GRU(i, h), {{l, n, i}});
  run("gru_all", nn::GRU(i, h, {.num_layers = 3, .batch_first = true, .bidirectional = true}), {{n, l, i}, {6, n, h}});
  run("lstm_relay", nn::LSTM(i, h, {.num_layers = 2, .proj_size = 3}), {{l, n, i}, {2, n, 3}, {2, n, h}});
  run("gru_no_bias", nn::GRU(i, h, {.bias = false}), {{l, n, i}, {1, n, h}});
  run("rnn_cell", nn::RNNCell(i, h), {{n, i}, {n, h}});
  run("rnn_cell_relu", nn::RNNCell(i, h, {.bias = false, .nonlinearity = "relu"}), {{n, i}});
  run("lstm_cell", nn::LSTMCell(i, h), {{n, i}, {n, h}, {n, h}});
  run("gru_cell", nn::GRUCell(i, h), {{n, i}, {n, h}});
  run("gru_cell_unbatched", nn::GRUCell(i, h, {.bias = false}), {{i}, {h}});
}

TEST(Recurrent, PackedSequences) {
  namespace rnn = nn::utils::rnn;
  const auto run = []<class M>(const std::string& name, M module, const std::vector<Shape>& sizes, bool batch_first) {
    replay<M>(name, std::move(module), sizes, [batch_first](M& m, const Tensors& x) {
      const auto packed = rnn::pack_padded_sequence(x[0], {2, 5, 1, 5}, batch_first, false);
      const auto padded = [&](const rnn::PackedSequence& y) {
        const auto [all, lengths] = rnn::pad_packed_sequence(y, batch_first, -1, 6);
        EXPECT_TRUE(equal(lengths, tensor({2, 5, 1, 5})));
        return all;
      };
      if constexpr (std::is_same_v<M, nn::LSTM>) {
        const auto [y, state] = m(packed, {x[1], x[2]});
        return Tensors{padded(y), state.h, state.c};
      } else {
        const auto [y, state] = m(packed, x.size() > 1 ? x[1] : Tensor());
        return Tensors{padded(y), state};
      }
    });
  };
  const std::int64_t i = 3, h = 4;
  run("packed_lstm", nn::LSTM(i, h, {.num_layers = 2, .bidirectional = true, .proj_size = 2}),
      {{5, 4, i}, {4, 4, 2}, {4, 4, h}}, false);
  run("packed_gru", nn::GRU(i, h, {.num_layers = 2, .bidirectional = true}), {{5, 4, i}, {4, 4, h}}, false);
  run("packed_rnn", nn::RNN(i, h, {.nonlinearity = "relu", .batch_first = true, .bidirectional = true}), {{4, 5, i}},
      true);
}

// First and second gradients by finite differences, with respect to the input and every parameter.
template <class M, class Call>
void check_gradients(M module, const Tensor& x, const Call& call) {
  module.to(kFloat64);
  test::fill(module);
  const auto fn = [&](const Tensors& inputs) { return call(module, inputs[0]); };
  Tensors inputs{x};
  for (const Tensor& p : module.parameters()) inputs.push_back(p);
  EXPECT_TRUE(test::gradcheck(fn, inputs));
  EXPECT_TRUE(test::gradgradcheck(fn, inputs));
}

TEST(Sequences, SecondGradients) {
  const Tensor x = test::uniform("x", {3, 2, 4}).requires_grad_();
  check_gradients(nn::MultiheadAttention(4, 2, {.add_bias_kv = true}), x, [](auto& m, const Tensor& t) {
    return m(t, t, t, {.need_weights = false, .is_causal = true}).first;
  });
  check_gradients(nn::LSTM(4, 2, {.bidirectional = true, .proj_size = 1}), x,
                  [](auto& m, const Tensor& t) { return m(t).first; });
  check_gradients(nn::GRU(4, 2), x, [](auto& m, const Tensor& t) { return m(t).second; });
  check_gradients(nn::RNN(4, 2, {.num_layers = 2}), x, [](auto& m, const Tensor& t) { return m(t).first; });
}

TEST(Sequences, StartAsPyTorchs) {
  manual_seed(1);
  nn::MultiheadAttention attention(32, 4, {.add_bias_kv = true});
  const double bound = std::sqrt(6.0 / (4 * 32));  // xavier: fan-in 32, fan-out 3 * 32
  EXPECT_LE(attention.in_proj_weight.detach().abs().max().item(), bound);
  EXPECT_GT(attention.in_proj_weight.detach().abs().max().item(), 0.99 * bound);
  EXPECT_EQ(attention.in_proj_bias.detach().abs().max().item(), 0);
  EXPECT_EQ(attention.out_proj.bias.detach().abs().max().item(), 0);
  EXPECT_GT(attention.bias_k.detach().abs().max().item(), 0);
  nn::GRU gru(3, 16);
  for (const Tensor& p : gru.parameters()) {
    EXPECT_LE(p.detach().abs().max().item(), 0.25);
    EXPECT_GT(p.detach().abs().max().item(), 0.2);
  }
}

TEST(Sequences, AttentionTakesFloatMasksUnderAutocast) {
  nn::MultiheadAttention attention(8, 2, {.batch_first = true});
  const Tensor x = randn({2, 3, 8});
  const Tensor mask = where(randn({3, 3}) > 0, zeros({3, 3}), full({3, 3}, -1.0)), pad = zeros({2, 3});
  const Autocast scope(kBFloat16);
  for (const bool weights : {false, true}) {
    const auto call = [&](const Tensor& padding, const Tensor& added) {
      return attention(x, x, x, {.key_padding_mask = padding, .need_weights = weights, .attn_mask = added}).first;
    };
    const Tensor y = call(pad, mask);
    EXPECT_EQ(y.dtype(), kBFloat16);
    EXPECT_TRUE(equal(y, call(pad.to(kBFloat16), mask.to(kBFloat16))));
  }
}

TEST(Sequences, DropoutLiesBetweenLayersAndOnlyInTraining) {
  manual_seed(2);
  const Tensor x = randn({3, 2, 4});
  nn::LSTM lstm(4, 5, {.num_layers = 2, .dropout = 0.9});
  EXPECT_FALSE(equal(lstm(x).first, lstm(x).first));
  lstm.eval();
  EXPECT_TRUE(equal(lstm(x).first, lstm(x).first));
  nn::LSTM single(4, 5, {.dropout = 0.9});
  EXPECT_TRUE(equal(single(x).first, single(x).first));
  nn::MultiheadAttention attention(4, 2, {.dropout = 0.5});
  EXPECT_FALSE(equal(attention(x, x, x).first, attention(x, x, x).first));
  attention.eval();
  EXPECT_TRUE(equal(attention(x, x, x).first, attention(x, x, x).first));
  nn::TransformerEncoder encoder(nn::TransformerEncoderLayer(4, 2, {.dim_feedforward = 8}), 2);
  EXPECT_FALSE(equal(encoder(x), encoder(x)));
  encoder.eval();
  EXPECT_TRUE(equal(encoder(x), encoder(x)));
}

TEST(Sequences, CopiesOfAnEncoderLayerAreIndependent) {
  nn::TransformerEncoderLayer layer(4, 2, {.dim_feedforward = 8});
  nn::TransformerEncoder encoder(layer, 2);
  const Tensor first = encoder.get_parameter("layers.0.linear1.weight"),
               second = encoder.get_parameter("layers.1.linear1.weight");
  EXPECT_TRUE(equal(first, layer.linear1.weight) && equal(second, layer.linear1.weight));
  EXPECT_FALSE(first.is_same(second) || first.is_same(layer.linear1.weight));
  nn::GRU gru(3, 4), copy = nn::clone(gru);
  nn::init::zeros_(copy.parameters()[0]);
  EXPECT_GT(gru.parameters()[0].detach().abs().max().item(), 0);
}

TEST(Sequences, RefuseWhatCannotWork) {
  EXPECT_EQ(message_of([] { nn::MultiheadAttention(8, 3); }),
            "MultiheadAttention: embed_dim must be a multiple of num_heads, and both at least 1, got 8 and 3");
  EXPECT_THROW(nn::MultiheadAttention(8, 2, {.dropout = 2}), ValueError);
  nn::MultiheadAttention attention(8, 2);
  const Tensor x = randn({4, 2, 8});
  EXPECT_THROW(attention(randn({4, 2, 7}), x, x), ShapeError);
  EXPECT_THROW(attention(x, randn({4, 3, 8}), randn({4, 3, 8})), ShapeError);
  EXPECT_EQ(message_of([&] {
              attention(x, x, x, {.attn_mask = zeros({4, 3})});
            }),
            "MultiheadAttention: attn_mask must be [4, 4], got [4, 3]");
  EXPECT_EQ(message_of([&] {
              attention(x, x, x, {.key_padding_mask = zeros({2, 3})});
            }),
            "MultiheadAttention: key_padding_mask must be [2, 4], got [2, 3]");
  EXPECT_THROW(attention(x, x, x, {.attn_mask = zeros({4, 4}, {.dtype = kInt64})}), DtypeError);
  EXPECT_THROW(scaled_dot_product_attention(x, randn({4, 2, 7}), x), ShapeError);
  EXPECT_THROW(scaled_dot_product_attention(x, x, randn({4, 3, 8})), ShapeError);
  EXPECT_THROW(scaled_dot_product_attention(x, x.to(kFloat64), x), DtypeError);
  EXPECT_THROW(scaled_dot_product_attention(x, x, x, zeros({2, 3})), ShapeError);
  EXPECT_THROW(scaled_dot_product_attention(x, x, x, zeros({5, 4, 2, 2})), ShapeError);
  EXPECT_THROW(scaled_dot_product_attention(x, x, x, zeros({2, 2}), 0, true), ValueError);
  EXPECT_EQ(message_of([] { nn::TransformerEncoderLayer(8, 2, {.activation = "tanh"}); }),
            "TransformerEncoderLayer: activation must be 'relu' or 'gelu', got 'tanh'");

  EXPECT_EQ(message_of([] { nn::LSTM(3, 4, {.proj_size = 4}); }),
            "LSTM: proj_size must be in [0, hidden_size), got 4 of 4");
  EXPECT_THROW(nn::RNN(3, 4, {.nonlinearity = "gelu"}), ValueError);
  EXPECT_THROW(nn::GRU(3, 4, {.num_layers = 0}), ValueError);
  EXPECT_THROW(nn::GRU(0, 4), ValueError);
  nn::LSTM lstm(3, 4, {.num_layers = 2});
  EXPECT_EQ(message_of([&] {
              lstm(randn({5, 2, 3}), {zeros({1, 2, 4}), zeros({2, 2, 4})});
            }),
            "LSTM: h_0 must be [2, 2, 4], got [1, 2, 4]");
  EXPECT_THROW(lstm(randn({5, 2, 4})), ShapeError);
  EXPECT_THROW(lstm(randn({0, 2, 3})), ShapeError);
  nn::GRUCell cell(3, 4);
  EXPECT_EQ(message_of([&] { cell(randn({2, 3}), randn({2, 3})); }), "GRUCell: h must be [2, 4], got [2, 3]");
  EXPECT_THROW(cell(randn({2, 2, 3})), ShapeError);
}

// The loops read as many numbers as the sizes say.
TEST(Sequences, RefuseParametersOfOtherSizesAndTypes) {
  nn::LSTMCell cell(3, 4);
  cell.weight_hh = nn::Parameter(randn({12, 4}));
  EXPECT_EQ(message_of([&] { cell(randn({2, 3})); }), "LSTMCell: weight_hh must be [16, 4], got [12, 4]");
  cell = nn::LSTMCell(3, 4);
  cell.bias_hh = nn::Parameter(randn({4}));
  EXPECT_EQ(message_of([&] { cell(randn({2, 3})); }), "LSTMCell: bias_hh must be [16], got [4]");
  cell.bias_hh = nn::Parameter();
  EXPECT_EQ(message_of([&] { cell(randn({2, 3})); }), "LSTMCell: bias_ih and bias_hh must both be defined, or neither");
  nn::GRUCell gru(3, 4);
  gru.weight_ih = nn::Parameter(randn({4, 3}));
  EXPECT_THROW(gru(randn({2, 3})), ShapeError);
  gru = nn::GRUCell(3, 4);
  gru.weight_hh = nn::Parameter(randn({12, 4}, {.dtype = kFloat64}));
  EXPECT_EQ(message_of([&] {
              gru(randn({2, 3}));
            }),
            "GRUCell: x, parameters and states must have one floating-point type, got float32 and, for weight_hh, "
            "float64");
}

}  // namespace
}  // namespace gradus
