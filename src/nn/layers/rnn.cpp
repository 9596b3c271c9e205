#include <gradus/nn/rnn.h>

#include <algorithm>

#include "nn/layers/recurrent.h"
#include "nn/module/initial.h"
#include "nn/module/repr.h"

namespace gradus::nn {

void check_recurrent_sizes(const char* layer, std::int64_t input_size, std::int64_t hidden_size) {
  if (input_size < 1 || hidden_size < 1) {
    throw ValueError(std::string(layer) + ": input_size and hidden_size must be at least 1, got " +
                     std::to_string(input_size) + " and " + std::to_string(hidden_size));
  }
}

bool is_relu(const char* layer, const std::string& nonlinearity) {
  if (nonlinearity == "relu") return true;
  if (nonlinearity == "tanh") return false;
  throw ValueError(std::string(layer) + ": nonlinearity must be 'tanh' or 'relu', got '" + nonlinearity + "'");
}

namespace detail {

namespace {

std::string describe(std::int64_t input_size, std::int64_t hidden_size, const LSTMOptions& o) {
  return std::to_string(input_size) + ", " + std::to_string(hidden_size) +
         (o.proj_size != 0 ? ", proj_size=" + std::to_string(o.proj_size) : "") +
         (o.num_layers != 1 ? ", num_layers=" + std::to_string(o.num_layers) : "") + (o.bias ? "" : ", bias=False") +
         (o.batch_first ? ", batch_first=True" : "") + (o.dropout != 0 ? ", dropout=" + repr(o.dropout) : "") +
         (o.bidirectional ? ", bidirectional=True" : "");
}

}  // namespace

struct Recurrent::Weights {
  Tensor ih, hh, bias_ih, bias_hh, hr;
};

Recurrent::Recurrent(const char* type, Kind kind, std::int64_t input_size, std::int64_t hidden_size,
                     const LSTMOptions& o)
    : Module(type, describe(input_size, hidden_size, o)),
      kind_(kind),
      input_size_(input_size),
      hidden_size_(hidden_size),
      options_(o) {
  check_recurrent_sizes(type, input_size, hidden_size);
  if (o.num_layers < 1) {
    throw ValueError(std::string(type) + ": num_layers must be at least 1, got " + std::to_string(o.num_layers));
  }
  if (!(o.dropout >= 0 && o.dropout <= 1)) {
    throw ValueError(std::string(type) + ": dropout must be in [0, 1], got " + repr(o.dropout));
  }
  if (o.proj_size < 0 || o.proj_size >= hidden_size) {
    throw ValueError(std::string(type) + ": proj_size must be in [0, hidden_size), got " + std::to_string(o.proj_size) +
                     " of " + std::to_string(hidden_size));
  }
  const std::int64_t gates = kind == Kind::LSTM ? 4 : kind == Kind::GRU ? 3 : 1, ways = o.bidirectional ? 2 : 1;
  const std::int64_t out = o.proj_size > 0 ? o.proj_size : hidden_size;
  const auto put = [&](const std::string& name, const Shape& sizes) {
    static_cast<void>(add(name, uniform_parameter(sizes, hidden_size, o.dtype)));
  };
  for (std::int64_t layer = 0; layer < o.num_layers; ++layer) {
    for (std::int64_t way = 0; way < ways; ++way) {
      const std::string suffix = "_l" + std::to_string(layer) + (way == 1 ? "_reverse" : "");
      put("weight_ih" + suffix, {gates * hidden_size, layer == 0 ? input_size : out * ways});
      put("weight_hh" + suffix, {gates * hidden_size, out});
      if (o.bias) put("bias_ih" + suffix, {gates * hidden_size});
      if (o.bias) put("bias_hh" + suffix, {gates * hidden_size});
      if (o.proj_size > 0) put("weight_hr" + suffix, {o.proj_size, hidden_size});
    }
  }
}

// They lie in the order of registration.
Recurrent::Weights Recurrent::weights(std::int64_t layer, std::int64_t direction) const {
  const std::int64_t each = 2 + (options_.bias ? 2 : 0) + (options_.proj_size > 0 ? 1 : 0);
  auto at = static_cast<std::size_t>((layer * (options_.bidirectional ? 2 : 1) + direction) * each);
  const auto next = [&] { return state()->parameters[at++].second; };
  Weights w;
  w.ih = next();
  w.hh = next();
  if (options_.bias) w.bias_ih = next();
  if (options_.bias) w.bias_hh = next();
  if (options_.proj_size > 0) w.hr = next();
  return w;
}

// x [L, N, features], states [N, features]. The inputs of all positions are projected at once.
Recurrent::Result Recurrent::run_way(const Tensor& x, const LSTMState& initial, const Weights& w,
                                     bool backwards) const {
  const std::vector<Tensor> inputs = unbind(linear(x, w.ih, w.bias_ih), 0);
  std::vector<Tensor> outputs(inputs.size());
  LSTMState s = initial;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::size_t t = backwards ? inputs.size() - 1 - i : i;
    const Tensor from = linear(s.h, w.hh, w.bias_hh);
    switch (kind_) {
      case Kind::LSTM:
        s = lstm_step(inputs[t], from, s.c);
        if (w.hr.defined()) s.h = linear(s.h, w.hr);
        break;
      case Kind::GRU:
        s.h = gru_step(inputs[t], from, s.h);
        break;
      case Kind::Tanh:
      case Kind::Relu:
        s.h = rnn_step(inputs[t], from, kind_ == Kind::Relu);
        break;
    }
    outputs[t] = s.h;
  }
  return {stack(outputs, 0), s};
}

// [layers and ways, N, features]
Tensor Recurrent::initial_state(const char* name, const Tensor& given, std::int64_t batch, std::int64_t features,
                                bool batched, Dtype dtype) const {
  const std::int64_t rows = options_.num_layers * (options_.bidirectional ? 2 : 1);
  if (!given.defined()) return zeros({rows, batch, features}, {.dtype = dtype});
  const Shape wanted = batched ? Shape{rows, batch, features} : Shape{rows, features};
  if (!(given.sizes() == wanted)) {
    throw ShapeError(type_name() + ": " + name + " must be " + gradus::to_string(wanted) + ", got " +
                     gradus::to_string(given.sizes()));
  }
  return batched ? given : unsqueeze(given, 1);
}

Recurrent::Result Recurrent::run(const Tensor& x_given, const LSTMState& initial) const {
  const bool batched = x_given.dim() == 3;
  if ((x_given.dim() != 2 && !batched) || x_given.size(-1) != input_size_) {
    throw ShapeError(type_name() + ": needs x of three dimensions, or two without a batch, and " +
                     std::to_string(input_size_) + " features, got " + gradus::to_string(x_given.sizes()));
  }
  Tensor x = !batched ? unsqueeze(x_given, 1) : options_.batch_first ? transpose(x_given, 0, 1) : x_given;
  if (x.size(0) == 0) {
    throw ShapeError(type_name() + ": needs at least one position, got " + gradus::to_string(x_given.sizes()));
  }
  const std::int64_t out = options_.proj_size > 0 ? options_.proj_size : hidden_size_;
  const Tensor h_0 = initial_state("h_0", initial.h, x.size(1), out, batched, x.dtype());
  const Tensor c_0 =
      kind_ == Kind::LSTM ? initial_state("c_0", initial.c, x.size(1), hidden_size_, batched, x.dtype()) : Tensor();
  const std::int64_t ways = options_.bidirectional ? 2 : 1;
  std::vector<Tensor> h, c;
  for (std::int64_t layer = 0; layer < options_.num_layers; ++layer) {
    std::vector<Tensor> outputs;
    for (std::int64_t way = 0; way < ways; ++way) {
      const std::int64_t row = layer * ways + way;
      const Result r = run_way(x, {select(h_0, 0, row), c_0.defined() ? select(c_0, 0, row) : Tensor()},
                               weights(layer, way), way == 1);
      outputs.push_back(r.output);
      h.push_back(r.state.h);
      if (c_0.defined()) c.push_back(r.state.c);
    }
    x = ways == 1 ? outputs[0] : cat(outputs, -1);
    if (layer + 1 < options_.num_layers) x = dropout(x, options_.dropout, is_training());
  }
  const auto states = [&](const std::vector<Tensor>& rows) {
    if (rows.empty()) return Tensor();
    const Tensor all = stack(rows, 0);
    return batched ? all : squeeze(all, 1);
  };
  return {!batched ? squeeze(x, 1) : options_.batch_first ? transpose(x, 0, 1) : x, {states(h), states(c)}};
}

}  // namespace detail

RNN::RNN(std::int64_t input_size, std::int64_t hidden_size, const RNNOptions& o)
    : Recurrent("RNN", is_relu("RNN", o.nonlinearity) ? Kind::Relu : Kind::Tanh, input_size, hidden_size,
                {.num_layers = o.num_layers,
                 .bias = o.bias,
                 .batch_first = o.batch_first,
                 .dropout = o.dropout,
                 .bidirectional = o.bidirectional,
                 .dtype = o.dtype}) {}

std::pair<Tensor, Tensor> RNN::forward(const Tensor& x, const Tensor& h_0) {
  const Result r = run(x, {h_0, Tensor()});
  return {r.output, r.state.h};
}

LSTM::LSTM(std::int64_t input_size, std::int64_t hidden_size, const LSTMOptions& options)
    : Recurrent("LSTM", Kind::LSTM, input_size, hidden_size, options) {}

std::pair<Tensor, LSTMState> LSTM::forward(const Tensor& x, const LSTMState& state) {
  const Result r = run(x, state);
  return {r.output, r.state};
}

GRU::GRU(std::int64_t input_size, std::int64_t hidden_size, const GRUOptions& o)
    : Recurrent("GRU", Kind::GRU, input_size, hidden_size,
                {.num_layers = o.num_layers,
                 .bias = o.bias,
                 .batch_first = o.batch_first,
                 .dropout = o.dropout,
                 .bidirectional = o.bidirectional,
                 .dtype = o.dtype}) {}

std::pair<Tensor, Tensor> GRU::forward(const Tensor& x, const Tensor& h_0) {
  const Result r = run(x, {h_0, Tensor()});
  return {r.output, r.state.h};
}

}  // namespace gradus::nn
