#include "nn/layers/recurrent.h"
#include "nn/module/initial.h"

namespace gradus::nn {

namespace {

template <class Cell>
void make_parameters(Cell& cell, const char* type, std::int64_t gates, std::int64_t in, std::int64_t hidden, bool bias,
                     Dtype dtype) {
  check_recurrent_sizes(type, in, hidden);
  cell.weight_ih = cell.add("weight_ih", uniform_parameter({gates * hidden, in}, hidden, dtype));
  cell.weight_hh = cell.add("weight_hh", uniform_parameter({gates * hidden, hidden}, hidden, dtype));
  cell.bias_ih = cell.add("bias_ih", bias ? uniform_parameter({gates * hidden}, hidden, dtype) : Parameter());
  cell.bias_hh = cell.add("bias_hh", bias ? uniform_parameter({gates * hidden}, hidden, dtype) : Parameter());
}

std::string describe(std::int64_t in, std::int64_t hidden, bool bias) {
  return std::to_string(in) + ", " + std::to_string(hidden) + (bias ? "" : ", bias=False");
}

// The state, checked, or zeros of x's batch.
template <class Cell>
Tensor state_of(const Cell& cell, const char* name, const Tensor& x, const Tensor& given) {
  const std::int64_t in = cell.weight_ih.size(1), hidden = cell.weight_hh.size(1);
  if ((x.dim() != 1 && x.dim() != 2) || x.size(-1) != in) {
    throw ShapeError(cell.type_name() + ": needs x [N, " + std::to_string(in) + "] or [" + std::to_string(in) +
                     "], got " + gradus::to_string(x.sizes()));
  }
  Shape sizes = x.sizes();
  sizes[sizes.rank() - 1] = hidden;
  if (!given.defined()) return zeros(sizes, {.dtype = x.dtype(), .device = x.device()});
  if (!(given.sizes() == sizes)) {
    throw ShapeError(cell.type_name() + ": " + name + " must be " + gradus::to_string(sizes) + ", got " +
                     gradus::to_string(given.sizes()));
  }
  return given;
}

// A layer of one position.
template <class Cell>
LSTMState step(const Cell& cell, kernel::RecurrentKind kind, const Tensor& x, const LSTMState& state) {
  const auto rows = [](const Tensor& t) { return t.defined() && t.dim() == 1 ? unsqueeze(t, 0) : t; };
  const Tensor batch = rows(x);
  const std::int64_t sizes[] = {batch.size(0)};
  const LSTMState next = recurrent_way(cell.type_name().c_str(), kind, sizes, false, batch,
                                       {cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh, Tensor()},
                                       {rows(state.h), rows(state.c)});
  if (x.dim() == 2) return next;
  return {squeeze(next.h, 0), next.c.defined() ? squeeze(next.c, 0) : Tensor()};
}

}  // namespace

RNNCell::RNNCell(std::int64_t input_size, std::int64_t hidden_size, const RNNCellOptions& o)
    : Module("RNNCell", describe(input_size, hidden_size, o.bias) +
                            (o.nonlinearity != "tanh" ? ", nonlinearity=" + o.nonlinearity : "")),
      relu_(is_relu("RNNCell", o.nonlinearity)) {
  make_parameters(*this, "RNNCell", 1, input_size, hidden_size, o.bias, o.dtype);
}

Tensor RNNCell::forward(const Tensor& x, const Tensor& given) {
  const Tensor h = state_of(*this, "h", x, given);
  return step(*this, relu_ ? kernel::RecurrentKind::relu : kernel::RecurrentKind::tanh, x, {h, Tensor()}).h;
}

LSTMCell::LSTMCell(std::int64_t input_size, std::int64_t hidden_size, const CellOptions& o)
    : Module("LSTMCell", describe(input_size, hidden_size, o.bias)) {
  make_parameters(*this, "LSTMCell", 4, input_size, hidden_size, o.bias, o.dtype);
}

LSTMState LSTMCell::forward(const Tensor& x, const LSTMState& given) {
  const Tensor h = state_of(*this, "h", x, given.h), c = state_of(*this, "c", x, given.c);
  return step(*this, kernel::RecurrentKind::lstm, x, {h, c});
}

GRUCell::GRUCell(std::int64_t input_size, std::int64_t hidden_size, const CellOptions& o)
    : Module("GRUCell", describe(input_size, hidden_size, o.bias)) {
  make_parameters(*this, "GRUCell", 3, input_size, hidden_size, o.bias, o.dtype);
}

Tensor GRUCell::forward(const Tensor& x, const Tensor& given) {
  const Tensor h = state_of(*this, "h", x, given);
  return step(*this, kernel::RecurrentKind::gru, x, {h, Tensor()}).h;
}

}  // namespace gradus::nn
