// The gradients of a recurrent layer as a formula of operations: for gradients of gradients. Forward is worked out
// again, step by step.
#include <gradus/ops.h>

#include <algorithm>

#include "ops/recurrent/recurrent.h"

namespace gradus::ops {

namespace {

using kernel::RecurrentKind;
using kernel::RecurrentStep;
using Tensors = std::vector<Tensor>;

Tensor rows_of(const Tensor& x, std::int64_t first, std::int64_t count) { return narrow(x, 0, first, count); }

// `part` in the place of the first rows of `all`.
Tensor with_first(const Tensor& part, const Tensor& all) {
  const std::int64_t rows = part.sizes()[0], batch = all.sizes()[0];
  return rows == batch ? part : cat(Tensors{part, rows_of(all, rows, batch - rows)}, 0);
}

// The steps' rows in the order of positions, which is theirs or its reverse.
Tensor joined(const kernel::Recurrence& r, Tensors parts) {
  if (r.steps.front().at != 0) std::reverse(parts.begin(), parts.end());
  return cat(parts, 0);
}

struct Step {
  Tensors gates;  // their values
  Tensor from;    // GRU: what the state gives the third gate
  Tensor h_before, c_before;
  Tensor h, c;  // h before it is projected
};

class Composed {
 public:
  Composed(const kernel::Recurrence& r, const RecurrentInputs& in) : r_(r), in_(in) {}

  void forward() {
    const Tensor inputs = linear(in_.x, in_.w.ih, in_.w.bias_ih);
    Tensor h = in_.h0, c = in_.c0;
    for (const RecurrentStep& at : r_.steps) {
      Step s;
      s.h_before = rows_of(h, 0, at.rows);
      if (c.defined()) s.c_before = rows_of(c, 0, at.rows);
      run(s, rows_of(inputs, at.at, at.rows), linear(s.h_before, in_.w.hh, in_.w.bias_hh));
      h = with_first(in_.w.hr.defined() ? linear(s.h, in_.w.hr) : s.h, h);
      if (c.defined()) c = with_first(s.c, c);
      steps_.push_back(std::move(s));
    }
  }

  RecurrentGradients backward(const Tensor& g_y, const Tensor& g_c) const {
    RecurrentGradients g;
    g.h0 = zeros_like(in_.h0);
    g.c0 = g_c;
    const std::size_t count = steps_.size();
    Tensors gates(count), from(count), before(count), projected(count), unprojected(count);
    for (std::size_t i = count; i-- > 0;) {
      const RecurrentStep& at = r_.steps[i];
      const Step& s = steps_[i];
      Tensor g_h = rows_of(g_y, at.at, at.rows) + rows_of(g.h0, 0, at.rows);
      if (in_.w.hr.defined()) {
        projected[i] = g_h;
        unprojected[i] = s.h;
        g_h = mm(g_h, in_.w.hr);
      }
      Tensor g_before = back(s, at.rows, g_h, g.c0, gates[i], from[i]);
      const Tensor through = mm(from[i], in_.w.hh);
      g.h0 = with_first(g_before.defined() ? g_before + through : through, g.h0);
      before[i] = s.h_before;
    }
    g.gates = joined(r_, std::move(gates));
    g.from = r_.kind == RecurrentKind::gru ? joined(r_, std::move(from)) : g.gates;
    g.before = joined(r_, std::move(before));
    if (in_.w.hr.defined()) {
      g.projected = joined(r_, std::move(projected));
      g.unprojected = joined(r_, std::move(unprojected));
    }
    return g;
  }

 private:
  // x and h: what the inputs and the state give.
  void run(Step& s, const Tensor& x, const Tensor& h) const {
    switch (r_.kind) {
      case RecurrentKind::lstm: {
        const Tensors parts = chunk(x + h, 4, -1);
        s.gates = {sigmoid(parts[0]), sigmoid(parts[1]), tanh(parts[2]), sigmoid(parts[3])};
        s.c = s.gates[1] * s.c_before + s.gates[0] * s.gates[2];
        s.h = s.gates[3] * tanh(s.c);
        break;
      }
      case RecurrentKind::gru: {
        const Tensors in = chunk(x, 3, -1), from = chunk(h, 3, -1);
        s.from = from[2];
        const Tensor reset = sigmoid(in[0] + from[0]);
        s.gates = {reset, sigmoid(in[1] + from[1]), tanh(in[2] + reset * from[2])};
        s.h = (s.h_before - s.gates[2]) * s.gates[1] + s.gates[2];
        break;
      }
      case RecurrentKind::tanh:
        s.h = tanh(x + h);
        break;
      case RecurrentKind::relu:
        s.h = relu(x + h);
        break;
    }
  }

  // Returns what reaches the state before past the gates, if anything does. g_c: of all cells, before and after.
  Tensor back(const Step& s, std::int64_t rows, const Tensor& g_h, Tensor& g_c, Tensor& gates, Tensor& from) const {
    switch (r_.kind) {
      case RecurrentKind::lstm: {
        const Tensor &i = s.gates[0], &f = s.gates[1], &g = s.gates[2], &o = s.gates[3], t = tanh(s.c);
        const Tensor of_c = rows_of(g_c, 0, rows) + g_h * o * (1 - square(t));
        gates = cat(Tensors{of_c * g * i * (1 - i), of_c * s.c_before * f * (1 - f), of_c * i * (1 - square(g)),
                            g_h * t * o * (1 - o)},
                    -1);
        g_c = with_first(of_c * f, g_c);
        from = gates;
        return {};
      }
      case RecurrentKind::gru: {
        const Tensor &r = s.gates[0], &z = s.gates[1], &n = s.gates[2];
        const Tensor of_n = g_h * (1 - z) * (1 - square(n));
        const Tensor of_r = of_n * s.from * r * (1 - r), of_z = g_h * (s.h_before - n) * z * (1 - z);
        gates = cat(Tensors{of_r, of_z, of_n}, -1);
        from = cat(Tensors{of_r, of_z, of_n * r}, -1);
        return g_h * z;
      }
      case RecurrentKind::tanh:
        from = gates = g_h * (1 - square(s.h));
        return {};
      case RecurrentKind::relu:
        from = gates = g_h * (s.h > 0).to(s.h.dtype());
        return {};
    }
    return {};
  }

  const kernel::Recurrence& r_;
  const RecurrentInputs& in_;
  std::vector<Step> steps_;
};

}  // namespace

RecurrentGradients recurrent_gradients(const kernel::Recurrence& r, const RecurrentInputs& in, const Tensor& g_y,
                                       const Tensor& g_c) {
  Composed composed(r, in);
  composed.forward();
  return composed.backward(g_y, g_c);
}

}  // namespace gradus::ops
