// Recurrent layers: at each step a product of matrices, and a kernel for what its units do.
#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>

#include "core/visit.h"
#include "kernels/gpu/kernels.h"
#include "kernels/gpu/launch.h"

namespace gradus::gpu {

namespace {

using kernel::RecurrentBackward;
using kernel::RecurrentForward;
using kernel::RecurrentKind;
using kernel::RecurrentStep;

// An overflowing exponential gives 1 / inf = 0, which is right.
template <class T>
GRADUS_DEVICE T sigmoid(T x) {
  return 1 / (1 + std::exp(-x));
}

// The state before a row of a step: of the step before, or the first.
template <class T>
struct Before {
  std::int64_t width, before, carried;
  Global<const T> all, initial;
  Before(const RecurrentStep& step, std::int64_t w, const T* states, const T* first)
      : width(w), before(step.before), carried(step.carried), all(states), initial(first) {}
  GRADUS_DEVICE T at(std::int64_t row, std::int64_t unit) const {
    return row < carried ? all[(before + row) * width + unit] : initial[row * width + unit];
  }
};

// Element i of each of the kernels below is unit i % hidden of row i / hidden of a step whose first row is `first`.

template <class T>
struct LstmForward {
  std::int64_t hidden, first;
  Before<T> before;
  Global<T> gates, cells, h;
  std::int64_t h_first;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t row = i / hidden, u = i % hidden, at = (first + row) * 4 * hidden + u;
    const T in = sigmoid(gates[at]), forget = sigmoid(gates[at + hidden]), fresh = std::tanh(gates[at + 2 * hidden]),
            out = sigmoid(gates[at + 3 * hidden]);
    gates[at] = in;
    gates[at + hidden] = forget;
    gates[at + 2 * hidden] = fresh;
    gates[at + 3 * hidden] = out;
    const T c = forget * before.at(row, u) + in * fresh;
    cells[(first + row) * hidden + u] = c;
    h[(h_first + row) * hidden + u] = out * std::tanh(c);
  }
};

template <class T>
struct LstmBackward {
  std::int64_t hidden, first;
  Before<T> before;
  Global<const T> gates, cells, g_h, g_more;  // g_h of rows from g_first on; g_more may be null
  std::int64_t g_first;
  Global<T> g_c, g_gates, unprojected;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t row = i / hidden, u = i % hidden, at = (first + row) * 4 * hidden + u;
    const T in = gates[at], forget = gates[at + hidden], fresh = gates[at + 2 * hidden], out = gates[at + 3 * hidden];
    const T t = std::tanh(cells[(first + row) * hidden + u]);
    if (unprojected) unprojected[(first + row) * hidden + u] = out * t;
    T grad = g_h[(g_first + row) * hidden + u];
    if (g_more) grad += g_more[row * hidden + u];
    const T of_c = g_c[row * hidden + u] + grad * out * (1 - t * t);
    g_gates[at + 3 * hidden] = grad * t * out * (1 - out);
    g_gates[at] = of_c * fresh * in * (1 - in);
    g_gates[at + hidden] = of_c * before.at(row, u) * forget * (1 - forget);
    g_gates[at + 2 * hidden] = of_c * in * (1 - fresh * fresh);
    g_c[row * hidden + u] = of_c * forget;
  }
};

template <class T>
struct GruForward {
  std::int64_t hidden, first;
  Before<T> before;
  Global<T> gates, h;
  Global<const T> from;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t row = i / hidden, u = i % hidden, at = (first + row) * 3 * hidden + u;
    const T r = sigmoid(gates[at]), z = sigmoid(gates[at + hidden]);
    const T n = std::tanh(gates[at + 2 * hidden] + r * from[(first + row) * hidden + u]);
    gates[at] = r;
    gates[at + hidden] = z;
    gates[at + 2 * hidden] = n;
    h[(first + row) * hidden + u] = (before.at(row, u) - n) * z + n;
  }
};

template <class T>
struct GruBackward {
  std::int64_t hidden, first;
  Before<T> before;
  Global<const T> gates, from, g_y;
  Global<T> g_h, g_gates, g_from;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t row = i / hidden, u = i % hidden, at = (first + row) * 3 * hidden + u;
    const std::int64_t own = (first + row) * hidden + u;
    const T r = gates[at], z = gates[at + hidden], n = gates[at + 2 * hidden];
    const T grad = g_y[own] + g_h[i];
    const T of_n = grad * (1 - z) * (1 - n * n);
    const T of_r = of_n * from[own] * r * (1 - r), of_z = grad * (before.at(row, u) - n) * z * (1 - z);
    g_gates[at] = of_r;
    g_gates[at + hidden] = of_z;
    g_gates[at + 2 * hidden] = of_n;
    g_from[at] = of_r;
    g_from[at + hidden] = of_z;
    g_from[at + 2 * hidden] = of_n * r;
    g_h[i] = grad * z;
  }
};

template <class T, bool relu>
struct ElmanForward {
  std::int64_t first;  // element
  Global<T> h;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    T& x = h[first + i];
    x = !relu ? std::tanh(x) : x < 0 ? T(0) : x;
  }
};

template <class T, bool relu>
struct ElmanBackward {
  std::int64_t first;
  Global<const T> h, g_y, g_h;
  Global<T> g_gates;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const T out = h[first + i], grad = g_y[first + i] + g_h[i];
    g_gates[first + i] = !relu ? grad * (1 - out * out) : out <= 0 ? T(0) : grad;
  }
};

// to[first + i] = a[first + i] + b[i]
template <class T>
struct AddCarried {
  std::int64_t first;
  Global<const T> a, b;
  Global<T> to;
  GRADUS_DEVICE void operator()(std::int64_t i) const { to[first + i] = a[first + i] + b[i]; }
};

template <class T>
struct CopyRows {
  std::int64_t from_first, to_first;
  Global<const T> from;
  Global<T> to;
  GRADUS_DEVICE void operator()(std::int64_t i) const { to[to_first + i] = from[from_first + i]; }
};

template <class T>
struct StatesBefore {
  std::int64_t first;
  Before<T> before;
  Global<T> to;
  GRADUS_DEVICE void operator()(std::int64_t i) const { to[first + i] = before.at(i / before.width, i % before.width); }
};

// C [m, n] = A [m, k] op(B) + beta C (+ bias)
template <class T>
void multiply(Int m, Int n, Int k, const T* a, Int lda, const T* b, Int ldb, bool trans_b, double beta, T* c, Int ldc,
              const T* bias = nullptr) {
  if (m == 0) return;
  Product p{.dtype = DtypeOf<T>::value, .trans_b = trans_b, .m = m, .n = n, .k = k};
  p.a = a;
  p.lda = lda;
  p.b = b;
  p.ldb = ldb;
  p.c = c;
  p.ldc = ldc;
  p.beta = beta;
  p.then.bias = bias;
  gemm(p);
}

template <class T>
void forward(const Recurrence& r, const RecurrentForward<T>& p) {
  const Int hidden = r.hidden, out = r.out, wide = r.gates() * hidden;
  const bool gru = r.kind == RecurrentKind::gru;
  const Scratch<T> states(r.projects() ? r.batch * hidden : 0);
  for (const RecurrentStep& step : r.steps) {
    // Rows that go on have their state among y, those that begin in h0.
    const auto through_state = [&](Int first, Int rows, const T* h) {
      const Int at = step.at + first, gates = gru ? 2 * hidden : wide;
      multiply(rows, gates, out, h, out, p.w_hh, out, true, 1, p.gates + at * wide, wide);
      if (gru)
        multiply(rows, hidden, out, h, out, p.w_hh + 2 * hidden * out, out, true, 0, p.from + at * hidden, hidden,
                 p.b_hn);
    };
    through_state(0, step.carried, p.y + step.before * out);
    through_state(step.carried, step.rows - step.carried, p.h0 + step.carried * out);
    const Int units = step.rows * hidden;
    switch (r.kind) {
      case RecurrentKind::lstm:
        launch(units, LstmForward<T>{hidden,
                                     step.at,
                                     {step, hidden, p.cells, p.c0},
                                     p.gates,
                                     p.cells,
                                     r.projects() ? states.get() : p.y,
                                     r.projects() ? 0 : step.at});
        break;
      case RecurrentKind::gru:
        launch(units, GruForward<T>{hidden, step.at, {step, hidden, p.y, p.h0}, p.gates, p.y, p.from});
        break;
      case RecurrentKind::tanh:
        launch(units, ElmanForward<T, false>{step.at * hidden, p.y});
        break;
      case RecurrentKind::relu:
        launch(units, ElmanForward<T, true>{step.at * hidden, p.y});
        break;
    }
    if (r.projects())
      multiply(step.rows, out, hidden, static_cast<const T*>(states.get()), hidden, p.w_hr, hidden, true, 0,
               p.y + step.at * out, out);
  }
  if (p.c_n == nullptr) return;
  for (std::size_t i = 0; i < r.steps.size(); ++i) {
    const RecurrentStep& step = r.steps[i];
    const Int on = i + 1 < r.steps.size() ? r.steps[i + 1].carried : 0;  // rows that go on
    launch((step.rows - on) * hidden, CopyRows<T>{(step.at + on) * hidden, on * hidden, p.cells, p.c_n});
  }
}

template <class T>
void backward(const Recurrence& r, const RecurrentBackward<T>& p) {
  const Int hidden = r.hidden, out = r.out, wide = r.gates() * hidden;
  const Scratch<T> g_hidden(r.projects() ? r.batch * hidden : 0);
  // The gradient of the state before `later`, through its gates.
  const auto through_gates = [&](const RecurrentStep& later) {
    const T* gates = p.g_from != nullptr ? p.g_from : p.g_gates;
    multiply(later.rows, out, wide, gates + later.at * wide, wide, p.w_hh, out, false,
             r.kind == RecurrentKind::gru ? 1 : 0, p.g_h, out);
  };
  const RecurrentStep* later = nullptr;
  for (auto at = r.steps.rbegin(); at != r.steps.rend(); later = &*at++) {
    const RecurrentStep& step = *at;
    if (later != nullptr) through_gates(*later);
    const Int units = step.rows * hidden;
    const T *g_h = p.g_y, *g_more = p.g_h;
    Int g_first = step.at;
    if (r.projects()) {
      launch(step.rows * out, AddCarried<T>{step.at * out, p.g_y, p.g_h, p.g_projected});
      multiply(step.rows, hidden, out, static_cast<const T*>(p.g_projected) + step.at * out, out, p.w_hr, hidden, false,
               0, g_hidden.get(), hidden);
      g_h = g_hidden.get();
      g_more = nullptr;
      g_first = 0;
    }
    switch (r.kind) {
      case RecurrentKind::lstm:
        launch(units, LstmBackward<T>{hidden,
                                      step.at,
                                      {step, hidden, p.cells, p.c0},
                                      p.gates,
                                      p.cells,
                                      g_h,
                                      g_more,
                                      g_first,
                                      p.g_c,
                                      p.g_gates,
                                      p.unprojected});
        break;
      case RecurrentKind::gru:
        launch(units,
               GruBackward<T>{
                   hidden, step.at, {step, hidden, p.y, p.h0}, p.gates, p.from, p.g_y, p.g_h, p.g_gates, p.g_from});
        break;
      case RecurrentKind::tanh:
        launch(units, ElmanBackward<T, false>{step.at * hidden, p.y, p.g_y, p.g_h, p.g_gates});
        break;
      case RecurrentKind::relu:
        launch(units, ElmanBackward<T, true>{step.at * hidden, p.y, p.g_y, p.g_h, p.g_gates});
        break;
    }
  }
  if (later != nullptr) through_gates(*later);
}

}  // namespace

// The same pointers, to elements of T.
void recurrent_forward(Dtype dtype, const Recurrence& r, const RecurrentForward<void>& p) {
  if (r.rows == 0) return;
  visit<float, double>("recurrent", dtype, [&]<class T>(T) { forward(r, std::bit_cast<RecurrentForward<T>>(p)); });
}

void recurrent_backward(Dtype dtype, const Recurrence& r, const RecurrentBackward<void>& p) {
  if (r.rows == 0) return;
  visit<float, double>("recurrent", dtype, [&]<class T>(T) { backward(r, std::bit_cast<RecurrentBackward<T>>(p)); });
}

void recurrent_states_before(Dtype dtype, const Recurrence& r, const void* y, const void* h0, void* before) {
  visit<float, double>("recurrent", dtype, [&]<class T>(T) {
    for (const RecurrentStep& step : r.steps) {
      launch(step.rows * r.out, StatesBefore<T>{step.at * r.out,
                                                {step, r.out, static_cast<const T*>(y), static_cast<const T*>(h0)},
                                                output<T>(before)});
    }
  });
}

}  // namespace gradus::gpu
