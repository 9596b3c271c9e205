#include <gradus/autocast.h>
#include <gradus/nn/layers/rnn.h>
#include <gradus/ops.h>

#include <numeric>

#include "core/range.h"
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

namespace {

// The kernels read what these sizes say, and a parameter may have been replaced by one of other sizes.
void check_operands(const char* layer, kernel::RecurrentKind kind, std::span<const std::int64_t> batch_sizes,
                    const Tensor& x, const ops::RecurrentWeights& w, const LSTMState& initial) {
  const bool lstm = kind == kernel::RecurrentKind::lstm;
  const std::int64_t gates = lstm ? 4 : kind == kernel::RecurrentKind::gru ? 3 : 1;
  const auto need = [&](const char* name, const Tensor& t, const Shape& sizes) {
    if (!x.is_floating_point() || t.dtype() != x.dtype()) {
      throw DtypeError(std::string(layer) + ": x, parameters and states must have one floating-point type, got " +
                       to_string(x.dtype()) + " and, for " + name + ", " + to_string(t.dtype()));
    }
    if (!(t.sizes() == sizes)) {
      throw ShapeError(std::string(layer) + ": " + name + " must be " + to_string(sizes) + ", got " +
                       to_string(t.sizes()));
    }
  };
  if (w.hh.dim() != 2 || (w.hr.defined() && w.hr.dim() != 2)) {
    throw ShapeError(std::string(layer) + ": weights must be matrices, got weight_hh " + to_string(w.hh.sizes()));
  }
  if (w.bias_ih.defined() != w.bias_hh.defined()) {
    throw ValueError(std::string(layer) + ": bias_ih and bias_hh must both be defined, or neither");
  }
  const std::int64_t out = w.hh.size(1), hidden = w.hr.defined() ? w.hr.size(1) : out;
  const std::int64_t batch = batch_sizes.empty() ? 0 : batch_sizes.front();
  need("weight_ih", w.ih, {gates * hidden, x.size(1)});
  need("weight_hh", w.hh, {gates * hidden, out});
  if (w.bias_ih.defined()) need("bias_ih", w.bias_ih, {gates * hidden});
  if (w.bias_hh.defined()) need("bias_hh", w.bias_hh, {gates * hidden});
  if (w.hr.defined()) need("weight_hr", w.hr, {out, hidden});
  need("h_0", initial.h, {batch, out});
  if (lstm) need("c_0", initial.c, {batch, hidden});
}

}  // namespace

LSTMState recurrent_way(const char* layer, kernel::RecurrentKind kind, std::span<const std::int64_t> batch_sizes,
                        bool reverse, const Tensor& x, const ops::RecurrentWeights& w, const LSTMState& initial) {
  if (autocasts(x, w.ih)) {
    return recurrent_way(layer, kind, batch_sizes, reverse, autocast(x),
                         {autocast(w.ih), autocast(w.hh), autocast(w.bias_ih), autocast(w.bias_hh), autocast(w.hr)},
                         {autocast(initial.h), autocast(initial.c)});
  }
  check_operands(layer, kind, batch_sizes, x, w, initial);
  const ops::RecurrentResult r = ops::recurrent(kind, batch_sizes, reverse, x, w, initial.h, initial.c);
  return {r.y, r.c_n};
}

namespace {

// The states at the last position of each sequence, [N, features], in the order of the rows at the first position.
Tensor last_states(const Tensor& y, const std::vector<std::int64_t>& batch_sizes, bool reverse) {
  const std::int64_t batch = batch_sizes.front();
  if (reverse) return narrow(y, 0, 0, batch);
  if (batch_sizes.back() == batch) return narrow(y, 0, y.size(0) - batch, batch);
  std::vector<std::int64_t> rows(static_cast<std::size_t>(batch));
  std::int64_t start = 0;
  for (const std::int64_t size : batch_sizes) {
    std::iota(rows.begin(), rows.begin() + size, start);
    start += size;
  }
  return index_select(y, 0, tensor(rows, {.device = y.device()}));
}

}  // namespace

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

Recurrent::Recurrent(const char* type, Kind kind, std::int64_t input_size, std::int64_t hidden_size,
                     const LSTMOptions& o)
    : Module(type, describe(input_size, hidden_size, o)),
      input_size(input_size),
      hidden_size(hidden_size),
      kind_(kind),
      options_(o) {
  check_recurrent_sizes(type, input_size, hidden_size);
  check_range(type, "num_layers", o.num_layers, at_least(1));
  check_range(type, "dropout", o.dropout, between(0, 1));
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

// [layers and ways, N, features]
Tensor Recurrent::initial_state(const char* name, const Tensor& given, std::int64_t batch, std::int64_t features,
                                bool batched, const Tensor& x) const {
  const std::int64_t rows = options_.num_layers * (options_.bidirectional ? 2 : 1);
  if (!given.defined()) return zeros({rows, batch, features}, {.dtype = x.dtype(), .device = x.device()});
  const Shape wanted = batched ? Shape{rows, batch, features} : Shape{rows, features};
  if (!(given.sizes() == wanted)) {
    throw ShapeError(type_name() + ": " + name + " must be " + gradus::to_string(wanted) + ", got " +
                     gradus::to_string(given.sizes()));
  }
  return batched ? given : unsqueeze(given, 1);
}

// x [rows, features] as in a PackedSequence; the states are [layers and ways, N, features].
Recurrent::Result Recurrent::run_layers(const Tensor& x_given, const std::vector<std::int64_t>& batch_sizes,
                                        const LSTMState& initial) const {
  Tensor x = x_given;
  std::size_t place = 0;  // in the order of registration
  const auto next = [&](bool there) { return there ? state()->parameter(place++) : Tensor(); };
  std::vector<Tensor> h, c;
  const std::int64_t ways = options_.bidirectional ? 2 : 1;
  for (std::int64_t layer = 0; layer < options_.num_layers; ++layer) {
    std::vector<Tensor> outputs;
    for (std::int64_t way = 0; way < ways; ++way) {
      ops::RecurrentWeights w;
      w.ih = next(true);
      w.hh = next(true);
      w.bias_ih = next(options_.bias);
      w.bias_hh = next(options_.bias);
      w.hr = next(options_.proj_size > 0);
      const auto row = [&](const Tensor& states) {
        return states.defined() ? select(states, 0, layer * ways + way) : states;
      };
      const LSTMState r = recurrent_way(type_name().c_str(), static_cast<kernel::RecurrentKind>(kind_), batch_sizes,
                                        way == 1, x, w, {row(initial.h), row(initial.c)});
      outputs.push_back(r.h);
      h.push_back(last_states(r.h, batch_sizes, way == 1));
      if (r.c.defined()) c.push_back(r.c);
    }
    x = ways == 1 ? outputs[0] : cat(outputs, -1);
    if (layer + 1 < options_.num_layers) x = dropout(x, options_.dropout, is_training());
  }
  return {x, {stack(h, 0), c.empty() ? Tensor() : stack(c, 0)}};
}

Recurrent::Result Recurrent::run(const Tensor& x_given, const LSTMState& initial) const {
  const bool batched = x_given.dim() == 3;
  if ((x_given.dim() != 2 && !batched) || x_given.size(-1) != input_size) {
    throw ShapeError(type_name() + ": needs x of three dimensions, or two without a batch, and " +
                     std::to_string(input_size) + " features, got " + gradus::to_string(x_given.sizes()));
  }
  const Tensor x = !batched ? unsqueeze(x_given, 1) : options_.batch_first ? transpose(x_given, 0, 1) : x_given;
  const std::int64_t length = x.size(0), batch = x.size(1);
  if (length == 0) {
    throw ShapeError(type_name() + ": needs at least one position, got " + gradus::to_string(x_given.sizes()));
  }
  const std::int64_t out = options_.proj_size > 0 ? options_.proj_size : hidden_size;
  LSTMState states{initial_state("h_0", initial.h, batch, out, batched, x), Tensor()};
  if (kind_ == Kind::LSTM) states.c = initial_state("c_0", initial.c, batch, hidden_size, batched, x);
  const std::vector<std::int64_t> sizes(static_cast<std::size_t>(length), batch);
  Result r = run_layers(reshape(x, {length * batch, input_size}), sizes, states);
  r.output = reshape(r.output, {length, batch, r.output.size(1)});
  if (batched) return {options_.batch_first ? transpose(r.output, 0, 1) : r.output, r.state};
  return {squeeze(r.output, 1), {squeeze(r.state.h, 1), r.state.c.defined() ? squeeze(r.state.c, 1) : Tensor()}};
}

Recurrent::PackedResult Recurrent::run(const Packed& x, const LSTMState& initial) const {
  const std::vector<std::int64_t> sizes = utils::rnn::batch_sizes_of(type_name().c_str(), x);
  if (x.data.dim() != 2 || x.data.size(1) != input_size) {
    throw ShapeError(type_name() + ": needs packed data [rows, " + std::to_string(input_size) + "], got " +
                     gradus::to_string(x.data.sizes()));
  }
  for (const Tensor& order : {x.sorted_indices, x.unsorted_indices}) {
    if (!order.defined() || order.sizes() == Shape{sizes.front()}) continue;
    throw ShapeError(type_name() + ": sorted_indices and unsorted_indices must have one entry for each of the " +
                     std::to_string(sizes.front()) + " sequences, got " + gradus::to_string(order.sizes()));
  }
  const auto in_order = [](const Tensor& states, const Tensor& order) {
    return states.defined() && order.defined() ? index_select(states, 1, order.to(states.device())) : states;
  };
  const std::int64_t out = options_.proj_size > 0 ? options_.proj_size : hidden_size;
  LSTMState states{in_order(initial_state("h_0", initial.h, sizes.front(), out, true, x.data), x.sorted_indices), {}};
  if (kind_ == Kind::LSTM) {
    states.c = in_order(initial_state("c_0", initial.c, sizes.front(), hidden_size, true, x.data), x.sorted_indices);
  }
  const Result r = run_layers(x.data, sizes, states);
  return {{r.output, x.batch_sizes, x.sorted_indices, x.unsorted_indices},
          {in_order(r.state.h, x.unsorted_indices), in_order(r.state.c, x.unsorted_indices)}};
}

}  // namespace detail

namespace {

template <class Options>
LSTMOptions without_projection(const Options& o) {
  return {.num_layers = o.num_layers,
          .bias = o.bias,
          .batch_first = o.batch_first,
          .dropout = o.dropout,
          .bidirectional = o.bidirectional,
          .dtype = o.dtype};
}

}  // namespace

RNN::RNN(std::int64_t input_size, std::int64_t hidden_size, const RNNOptions& o)
    : Recurrent("RNN", is_relu("RNN", o.nonlinearity) ? Kind::Relu : Kind::Tanh, input_size, hidden_size,
                without_projection(o)) {}

std::pair<Tensor, Tensor> RNN::forward(const Tensor& x, const Tensor& h_0) {
  const Result r = run(x, {h_0, Tensor()});
  return {r.output, r.state.h};
}
std::pair<RNN::Packed, Tensor> RNN::forward(const Packed& x, const Tensor& h_0) {
  const PackedResult r = run(x, {h_0, Tensor()});
  return {r.output, r.state.h};
}

LSTM::LSTM(std::int64_t input_size, std::int64_t hidden_size, const LSTMOptions& options)
    : Recurrent("LSTM", Kind::LSTM, input_size, hidden_size, options) {}

std::pair<Tensor, LSTMState> LSTM::forward(const Tensor& x, const LSTMState& state) {
  const Result r = run(x, state);
  return {r.output, r.state};
}
std::pair<LSTM::Packed, LSTMState> LSTM::forward(const Packed& x, const LSTMState& state) {
  const PackedResult r = run(x, state);
  return {r.output, r.state};
}

GRU::GRU(std::int64_t input_size, std::int64_t hidden_size, const GRUOptions& o)
    : Recurrent("GRU", Kind::GRU, input_size, hidden_size, without_projection(o)) {}

std::pair<Tensor, Tensor> GRU::forward(const Tensor& x, const Tensor& h_0) {
  const Result r = run(x, {h_0, Tensor()});
  return {r.output, r.state.h};
}
std::pair<GRU::Packed, Tensor> GRU::forward(const Packed& x, const Tensor& h_0) {
  const PackedResult r = run(x, {h_0, Tensor()});
  return {r.output, r.state.h};
}

}  // namespace gradus::nn
