#include "ops/recurrent/recurrent.h"

#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"
#include "ops/elementwise/elementwise.h"
#include "ops/product/products.h"

namespace gradus::ops {

namespace {

using kernel::Recurrence;
using kernel::RecurrentKind;

struct Names {
  const char *forward, *backward;
};

Names names_of(RecurrentKind kind) {
  switch (kind) {
    case RecurrentKind::lstm:
      return {"lstm", "lstm_backward"};
    case RecurrentKind::gru:
      return {"gru", "gru_backward"};
    case RecurrentKind::tanh:
      return {"rnn_tanh", "rnn_tanh_backward"};
    case RecurrentKind::relu:
      break;
  }
  return {"rnn_relu", "rnn_relu_backward"};
}

// As the kernels want it; undefined stays so.
Tensor operand(const Tensor& x) { return x.defined() ? x.to(compute_type(x.dtype())).contiguous() : x; }

void* data(const Tensor& x) { return x.defined() ? x.impl()->data : nullptr; }

// What all positions' inputs add to: every bias, but GRU's that is within a product of gates.
Tensor common_bias(const Recurrence& r, const Tensor& of_input, const Tensor& of_state) {
  if (!of_input.defined()) return {};
  if (r.kind != RecurrentKind::gru) return of_input + of_state;
  Tensor bias = of_input.clone();
  narrow(bias, 0, 0, 2 * r.hidden).add_(narrow(of_state, 0, 0, 2 * r.hidden));
  return bias;
}

// What forward leaves for backward.
struct Kept {
  Tensor gates, from, cells, y;
};

// The walk back through the positions, as an operation: whoever counts or profiles sees it.
struct RecurrentBackwardOp final : Op {
  const Recurrence& r;
  const RecurrentInputs& in;
  const Kept& kept;
  bool wants_before;
  RecurrentGradients out{};
  RecurrentBackwardOp(const Recurrence& recurrence, const RecurrentInputs& inputs, const Kept& values, bool before)
      : r(recurrence), in(inputs), kept(values), wants_before(before) {}
  const char* name() const override { return names_of(r.kind).backward; }
  Tensor forward(const Tensor& g_y, const Tensor& g_c) {
    const Dtype type = g_y.dtype();
    const auto make = [&](std::int64_t rows, std::int64_t width) {
      return detail::make_empty({rows, width}, type, g_y.device());
    };
    const std::int64_t wide = r.gates() * r.hidden;
    const bool gru = r.kind == RecurrentKind::gru;
    out.gates = make(r.rows, wide);
    out.from = gru ? make(r.rows, wide) : out.gates;
    out.h0 = zeros({r.batch, r.out}, {.dtype = type, .device = g_y.device()});
    out.c0 = g_c;
    if (r.projects()) {
      out.projected = make(r.rows, r.out);
      out.unprojected = make(r.rows, r.hidden);
    }
    if (wants_before) out.before = make(r.rows, r.out);
    const Tensor hh = operand(in.w.hh), hr = operand(in.w.hr), h0 = operand(in.h0), c0 = operand(in.c0);
    const Kernels& of = kernels(g_y.device());
    of.recurrent_backward(type, r,
                          {.w_hh = data(hh),
                           .w_hr = data(hr),
                           .h0 = data(h0),
                           .c0 = data(c0),
                           .gates = data(kept.gates),
                           .from = data(kept.from),
                           .cells = data(kept.cells),
                           .y = data(kept.y),
                           .g_y = data(g_y),
                           .g_gates = data(out.gates),
                           .g_from = gru ? data(out.from) : nullptr,
                           .g_h = data(out.h0),
                           .g_c = data(out.c0),
                           .g_projected = data(out.projected),
                           .unprojected = data(out.unprojected)});
    if (wants_before) of.recurrent_states_before(type, r, data(kept.y), data(h0), data(out.before));
    return out.gates;
  }
  void backward(const Tensor&, Grads) override {}  // runs only where nothing is recorded
  std::int64_t multiply_adds(const Tensor&, const Tensor&, const Tensor&) const {
    return r.rows * (r.gates() + (r.projects() ? 1 : 0)) * r.hidden * r.out;
  }
};

// The inputs: x, ih, hh, bias_ih, bias_hh, hr, h0, c0. The result: the states of all rows; after LSTM's, flat, the
// last cells.
struct Recurrent final : Op {
  enum Slot { kX, kIh, kHh, kBiasIh, kBiasHh, kHr, kH0, kC0, kGates, kFrom, kCells };
  Recurrence r;
  Dtype dtype = kFloat32;
  explicit Recurrent(Recurrence recurrence) : r(std::move(recurrence)) {}
  const char* name() const override { return names_of(r.kind).forward; }

  Tensor forward(const Tensor& x, const Tensor& ih, const Tensor& hh, const Tensor& bias_ih, const Tensor& bias_hh,
                 const Tensor& hr, const Tensor& h0, const Tensor& c0) {
    dtype = x.dtype();
    const Dtype type = compute_type(dtype);
    const bool lstm = r.kind == RecurrentKind::lstm, gru = r.kind == RecurrentKind::gru;
    const auto make = [&](const Shape& sizes) { return detail::make_empty(sizes, type, x.device()); };
    const Tensor result = lstm ? make({r.rows * r.out + r.batch * r.hidden}) : make({r.rows, r.out});
    const Tensor gates = lstm || gru ? make({r.rows, r.gates() * r.hidden}) : result;
    const Tensor from = gru ? make({r.rows, r.hidden}) : Tensor(), cells = lstm ? make({r.rows, r.hidden}) : Tensor();
    const Tensor of_state = operand(bias_hh);
    multiply_into(gates, operand(x), operand(ih),
                  {.trans_b = true, .bias = common_bias(r, operand(bias_ih), of_state)});
    const Tensor w_hh = operand(hh), w_hr = operand(hr), first = operand(h0), first_cells = operand(c0);
    const auto after = [&](const Tensor& t, std::int64_t elements) {
      return t.impl()->data + elements * element_size(type);
    };
    kernels(x.device())
        .recurrent_forward(type, r,
                           {.w_hh = data(w_hh),
                            .w_hr = data(w_hr),
                            .b_hn = gru && of_state.defined() ? after(of_state, 2 * r.hidden) : nullptr,
                            .h0 = data(first),
                            .c0 = data(first_cells),
                            .gates = data(gates),
                            .from = data(from),
                            .cells = data(cells),
                            .y = data(result),
                            .c_n = lstm ? after(result, r.rows * r.out) : nullptr});
    const Tensor inputs[] = {x, ih, hh, bias_ih, bias_hh, hr, h0, c0};
    for (int slot = kX; slot <= kC0; ++slot)
      if (inputs[slot].defined()) save(slot, inputs[slot]);
    if (lstm || gru) save(kGates, gates);
    if (gru) save(kFrom, from);
    if (lstm) save(kCells, cells);
    save_output(result);
    return result.to(dtype);
  }

  void backward(const Tensor& g, Grads gx) override {
    const RecurrentInputs in{
        saved(kX), {saved(kIh), saved(kHh), saved(kBiasIh), saved(kBiasHh), saved(kHr)}, saved(kH0), saved(kC0)};
    const std::int64_t end = r.rows * r.out;
    const bool lstm = r.kind == RecurrentKind::lstm;
    const auto states_of = [&](const Tensor& t) { return lstm ? reshape(narrow(t, 0, 0, end), {r.rows, r.out}) : t; };
    const Tensor g_y = states_of(g);
    const Tensor g_c = lstm ? reshape(narrow(g, 0, end, r.batch * r.hidden), {r.batch, r.hidden}) : Tensor();
    RecurrentGradients found;
    if (is_grad_enabled()) {
      found = recurrent_gradients(r, in, g_y, g_c);
    } else {
      const Kept kept{saved(kGates), saved(kFrom), saved(kCells), states_of(output())};
      RecurrentBackwardOp walk(r, in, kept, needs(kHh));
      const Tensor states = operand(g_y), cells = lstm ? operand(g_c).clone() : Tensor();
      const Tensor* const given[] = {&states, &cells};
      static_cast<void>(detail::run(walk, std::span<const Tensor* const>(given), states, cells));
      found = std::move(walk.out);
    }
    const auto fits = [&](const Tensor& t) { return t.to(found.gates.dtype()); };
    const auto product = [&](const Tensor& left, const Tensor& right, bool trans) {
      return mm_unchecked(left, right, trans, false).to(dtype);
    };
    if (needs(kX)) gx[kX] = product(found.gates, fits(in.w.ih), false);
    if (needs(kIh)) gx[kIh] = product(found.gates, fits(in.x), true);
    if (needs(kHh)) gx[kHh] = product(found.from, found.before, true);
    if (needs(kBiasIh)) gx[kBiasIh] = sum(found.gates, 0).to(dtype);
    if (needs(kBiasHh)) gx[kBiasHh] = sum(found.from, 0).to(dtype);
    if (needs(kHr)) gx[kHr] = product(found.projected, found.unprojected, true);
    if (needs(kH0)) gx[kH0] = found.h0.to(dtype);
    if (needs(kC0)) gx[kC0] = found.c0.to(dtype);
  }

  std::int64_t multiply_adds(const Tensor&, const Tensor&, const Tensor& ih, const Tensor&, const Tensor&,
                             const Tensor&, const Tensor&, const Tensor&, const Tensor&) const {
    return r.rows * r.hidden * (r.gates() * (ih.sizes()[1] + r.out) + (r.projects() ? r.out : 0));
  }
};

}  // namespace

RecurrentResult recurrent(RecurrentKind kind, std::span<const std::int64_t> batch_sizes, bool reverse, const Tensor& x,
                          const RecurrentWeights& w, const Tensor& h0, const Tensor& c0) {
  const std::int64_t out = w.hh.sizes()[1], hidden = w.hr.defined() ? w.hr.sizes()[1] : out;
  const Recurrence r(kind, batch_sizes, reverse, hidden, out);
  const Tensor result = apply(Recurrent(r), x, w.ih, w.hh, w.bias_ih, w.bias_hh, w.hr, h0, c0);
  if (kind != RecurrentKind::lstm) return {result, Tensor()};
  const std::int64_t end = r.rows * out;
  return {view(narrow(result, 0, 0, end), {r.rows, out}),
          view(narrow(result, 0, end, r.batch * hidden), {r.batch, hidden})};
}

}  // namespace gradus::ops
