#include "kernels/cpu/recurrent/recurrent.h"

#include <algorithm>
#include <deque>

#include "core/threads/parallel.h"
#include "kernels/cpu/product/packed_gemm.h"
#include "kernels/cpu/recurrent/gates.h"
#include "kernels/scratch.h"

namespace gradus::cpu {

namespace {

using std::int64_t;

constexpr int64_t kPiece = 500'000;  // multiplications of a step that make a piece worth its while
constexpr int64_t kMostPieces = 16;
constexpr int64_t kUnits = 32;  // a piece's columns are a multiple of these
constexpr int64_t kRows = 16;   // and its rows at least so many

// A step's rows and units, cut into blocks that depend on the sizes alone.
struct Grid {
  int64_t rows, units, down = 1, across = 1;

  Grid(int64_t batch, int64_t columns, int64_t multiplications) : rows(batch), units(columns) {
    const int64_t pieces = core::piece_count(multiplications, kPiece, kMostPieces);
    const int64_t panels = (units + kUnits - 1) / kUnits;
    while (across < pieces && (panels % (2 * across) == 0 || panels >= 8 * across)) across *= 2;
    while (across * down < pieces && rows >= 2 * kRows * down) down *= 2;
  }
  int64_t first_row(int64_t i) const { return rows * i / down; }
  int64_t first_unit(int64_t i) const {
    return i == across ? units : (units + kUnits - 1) / kUnits * i / across * kUnits;
  }
  int64_t width(int64_t i) const { return first_unit(i + 1) - first_unit(i); }

  // work(first row, last row, number of the columns' block), of the first `count` rows
  template <class F>
  void for_each(int64_t count, F&& work) const {
    core::parallel_for(down * across, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const int64_t top = first_row(i % down), bottom = std::min(count, first_row(i % down + 1));
        if (top < bottom) work(top, bottom, i / down);
      }
    });
  }
};

// A step's rows [first, last): calls part(first, last, carried) for those that go on, and for those that begin.
template <class F>
void in_parts(const RecurrentStep& step, int64_t first, int64_t last, F&& part) {
  const int64_t middle = std::clamp(step.carried, first, last);
  if (first < middle) part(first, middle, true);
  if (middle < last) part(middle, last, false);
}

// Where the state before a step's row `first` stands, given all states and the first ones.
template <class T>
const T* state_before(const RecurrentStep& step, int64_t first, bool carried, const T* all, const T* initial,
                      int64_t width) {
  return carried ? all + (step.before + first) * width : initial + first * width;
}

template <class T>
using Packed = std::deque<PackedMatrix<T>>;

// Columns [0, n) of B [k, n], a matrix for each of the grid's blocks.
template <class T>
Packed<T> pack_columns(const Grid& grid, int64_t k, const T* b, int64_t b_row, int64_t b_col) {
  Packed<T> packed;
  for (int64_t i = 0; i < grid.across; ++i) {
    packed.emplace_back(k, grid.width(i), b + grid.first_unit(i) * b_col, b_row, b_col);
  }
  return packed;
}

template <class T>
const PackedMatrix<T>& at(const Packed<T>& packed, int64_t i) {
  return packed[static_cast<std::size_t>(i)];
}

Grid unit_grid(const Recurrence& r) { return {r.batch, r.hidden, r.batch * r.gates() * r.hidden * r.out}; }
Grid state_grid(const Recurrence& r) { return {r.batch, r.out, r.batch * r.gates() * r.hidden * r.out}; }

template <class T>
class Forward {
 public:
  Forward(const Recurrence& r, const RecurrentForward<T>& p)
      : r_(r), p_(p), units_(unit_grid(r)), outs_(state_grid(r)), hidden_state_(r.projects() ? r.batch * r.hidden : 0) {
    for (int64_t gate = 0; gate < r.gates(); ++gate) {
      w_hh_.push_back(pack_columns(units_, r.out, p.w_hh + gate * r.hidden * r.out, 1, r.out));
    }
    if (r.projects()) w_hr_ = pack_columns(outs_, r.hidden, p.w_hr, 1, r.hidden);
  }

  void run() const {
    for (const RecurrentStep& step : r_.steps) {
      units_.for_each(step.rows, [&](int64_t first, int64_t last, int64_t block) {
        in_parts(step, first, last,
                 [&](int64_t top, int64_t bottom, bool carried) { piece(step, top, bottom, block, carried); });
      });
      if (!r_.projects()) continue;
      outs_.for_each(step.rows, [&](int64_t first, int64_t last, int64_t block) {
        at(w_hr_, block)
            .multiply(last - first, hidden_state_.get() + first * r_.hidden, r_.hidden, T(0),
                      p_.y + (step.at + first) * r_.out + outs_.first_unit(block), r_.out);
      });
    }
  }

 private:
  void piece(const RecurrentStep& step, int64_t first, int64_t last, int64_t block, bool carried) const {
    const int64_t rows = last - first, units = units_.width(block), unit = units_.first_unit(block);
    const int64_t hidden = r_.hidden, wide = r_.gates() * hidden, row = step.at + first;
    const T* h = state_before<T>(step, first, carried, p_.y, p_.h0, r_.out);
    T* const gates = p_.gates + row * wide + unit;
    T* const from = p_.from != nullptr ? p_.from + row * hidden + unit : nullptr;
    for (int64_t gate = 0; gate < r_.gates(); ++gate) {
      const auto& w = at(w_hh_[static_cast<std::size_t>(gate)], block);
      if (from == nullptr || gate < 2) {
        w.multiply(rows, h, r_.out, T(1), gates + gate * hidden, wide);
        continue;
      }
      for (int64_t i = 0; i < rows && p_.b_hn != nullptr; ++i) std::copy_n(p_.b_hn + unit, units, from + i * hidden);
      w.multiply(rows, h, r_.out, p_.b_hn != nullptr ? T(1) : T(0), from, hidden);
    }
    const Block<T> mine{gates, wide}, out{p_.y + row * hidden + unit, hidden};
    switch (r_.kind) {
      case RecurrentKind::lstm: {
        const Block<const T> before{state_before<T>(step, first, carried, p_.cells, p_.c0, hidden) + unit, hidden};
        const Block<T> made = r_.projects() ? Block<T>{hidden_state_.get() + first * hidden + unit, hidden} : out;
        simd_call<LstmForward<T>>(rows, units, hidden, mine, before, Block<T>{p_.cells + row * hidden + unit, hidden},
                                  made);
        break;
      }
      case RecurrentKind::gru:
        simd_call<GruForward<T>>(rows, units, hidden, mine, Block<const T>{from, hidden},
                                 Block<const T>{h + unit, hidden}, out);
        break;
      case RecurrentKind::tanh:
        simd_call<ElmanForward<T, false>>(rows, units, mine);
        break;
      case RecurrentKind::relu:
        simd_call<ElmanForward<T, true>>(rows, units, mine);
        break;
    }
  }

  const Recurrence& r_;
  const RecurrentForward<T>& p_;
  Grid units_, outs_;
  std::vector<Packed<T>> w_hh_;  // of each gate
  Packed<T> w_hr_;
  Scratch<T> hidden_state_;  // of a step, where it is projected
};

template <class T>
class Backward {
 public:
  Backward(const Recurrence& r, const RecurrentBackward<T>& p)
      : r_(r), p_(p), units_(unit_grid(r)), outs_(state_grid(r)), g_hidden_(r.projects() ? r.batch * r.hidden : 0) {
    w_hh_ = pack_columns(outs_, r.gates() * r.hidden, p.w_hh, r.out, 1);
    if (r.projects()) w_hr_ = pack_columns(units_, r.out, p.w_hr, r.hidden, 1);
  }

  void run() const {
    const RecurrentStep* later = nullptr;
    for (auto step = r_.steps.rbegin(); step != r_.steps.rend(); later = &*step++) {
      if (r_.projects()) {
        outs_.for_each(r_.batch, [&](int64_t first, int64_t last, int64_t block) {
          if (later != nullptr) through_gates(*later, first, last, block);
          add_given(*step, first, std::min(last, step->rows), block);
        });
      }
      units_.for_each(r_.batch, [&](int64_t first, int64_t last, int64_t block) {
        if (later != nullptr && !r_.projects()) through_gates(*later, first, last, block);
        in_parts(*step, std::min(first, step->rows), std::min(last, step->rows),
                 [&](int64_t top, int64_t bottom, bool carried) { piece(*step, top, bottom, block, carried); });
      });
    }
    if (later == nullptr) return;
    outs_.for_each(r_.batch,
                   [&](int64_t first, int64_t last, int64_t block) { through_gates(*later, first, last, block); });
  }

 private:
  // The gradient of the state before `later`, through its gates.
  void through_gates(const RecurrentStep& later, int64_t first, int64_t last, int64_t block) const {
    const int64_t wide = r_.gates() * r_.hidden;
    const T* gates = (p_.g_from != nullptr ? p_.g_from : p_.g_gates) + (later.at + first) * wide;
    at(w_hh_, block)
        .multiply(std::min(last, later.rows) - std::min(first, later.rows), gates, wide,
                  r_.kind == RecurrentKind::gru ? T(1) : T(0), p_.g_h + first * r_.out + outs_.first_unit(block),
                  r_.out);
  }

  void add_given(const RecurrentStep& step, int64_t first, int64_t last, int64_t block) const {
    const int64_t from = outs_.first_unit(block), width = outs_.width(block);
    for (int64_t i = first; i < last; ++i) {
      const T *given = p_.g_y + (step.at + i) * r_.out + from, *carried = p_.g_h + i * r_.out + from;
      T* to = p_.g_projected + (step.at + i) * r_.out + from;
      for (int64_t j = 0; j < width; ++j) to[j] = given[j] + carried[j];
    }
  }

  void piece(const RecurrentStep& step, int64_t first, int64_t last, int64_t block, bool carried) const {
    const int64_t rows = last - first, units = units_.width(block), unit = units_.first_unit(block);
    const int64_t hidden = r_.hidden, wide = r_.gates() * hidden, row = step.at + first;
    const auto block_of = [&](auto* data, int64_t i) {
      return Block<std::remove_pointer_t<decltype(data)>>{data != nullptr ? data + i * hidden + unit : nullptr, hidden};
    };
    const Block<const T> gates{p_.gates + row * wide + unit, wide};
    const Block<T> g_gates{p_.g_gates + row * wide + unit, wide};
    const Block<const T> g_y = block_of(p_.g_y, row);
    switch (r_.kind) {
      case RecurrentKind::lstm: {
        Block<const T> g_h = g_y, more = block_of(static_cast<const T*>(p_.g_h), first);
        if (r_.projects()) {
          const Block<T> made = block_of(g_hidden_.get(), first);
          at(w_hr_, block).multiply(rows, p_.g_projected + row * r_.out, r_.out, T(0), made.data, hidden);
          g_h = {made.data, hidden};
          more = {};
        }
        const Block<const T> before{state_before<T>(step, first, carried, p_.cells, p_.c0, hidden) + unit, hidden};
        simd_call<LstmBackward<T>>(rows, units, hidden, gates, before, block_of(p_.cells, row), g_h, more,
                                   block_of(p_.g_c, first), g_gates, block_of(p_.unprojected, row));
        break;
      }
      case RecurrentKind::gru: {
        const Block<const T> before{state_before<T>(step, first, carried, p_.y, p_.h0, hidden) + unit, hidden};
        simd_call<GruBackward<T>>(rows, units, hidden, gates, block_of(p_.from, row), before, g_y,
                                  block_of(p_.g_h, first), g_gates, Block<T>{p_.g_from + row * wide + unit, wide});
        break;
      }
      case RecurrentKind::tanh:
        simd_call<ElmanBackward<T, false>>(rows, units, block_of(p_.y, row), g_y,
                                           block_of(static_cast<const T*>(p_.g_h), first), g_gates);
        break;
      case RecurrentKind::relu:
        simd_call<ElmanBackward<T, true>>(rows, units, block_of(p_.y, row), g_y,
                                          block_of(static_cast<const T*>(p_.g_h), first), g_gates);
        break;
    }
  }

  const Recurrence& r_;
  const RecurrentBackward<T>& p_;
  Grid units_, outs_;
  Packed<T> w_hh_, w_hr_;
  Scratch<T> g_hidden_;  // of a step, before the projection
};

}  // namespace

template <class T>
void recurrent_forward(const Recurrence& r, const RecurrentForward<T>& p) {
  if (r.rows == 0) return;
  Forward<T>(r, p).run();
  if (p.c_n == nullptr) return;
  // A sequence that goes on writes its row again.
  for (const RecurrentStep& step : r.steps) std::copy_n(p.cells + step.at * r.hidden, step.rows * r.hidden, p.c_n);
}

template <class T>
void recurrent_backward(const Recurrence& r, const RecurrentBackward<T>& p) {
  if (r.rows > 0) Backward<T>(r, p).run();
}

template <class T>
void recurrent_states_before(const Recurrence& r, const T* y, const T* h0, T* before) {
  for (const RecurrentStep& step : r.steps) {
    in_parts(step, 0, step.rows, [&](int64_t first, int64_t last, bool carried) {
      std::copy_n(state_before(step, first, carried, y, h0, r.out), (last - first) * r.out,
                  before + (step.at + first) * r.out);
    });
  }
}

#define GRADUS_RECURRENT(T)                                                         \
  template void recurrent_forward(const Recurrence&, const RecurrentForward<T>&);   \
  template void recurrent_backward(const Recurrence&, const RecurrentBackward<T>&); \
  template void recurrent_states_before(const Recurrence&, const T*, const T*, T*);
GRADUS_RECURRENT(float)
GRADUS_RECURRENT(double)
#undef GRADUS_RECURRENT

}  // namespace gradus::cpu
