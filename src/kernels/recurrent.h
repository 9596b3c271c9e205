// Recurrent layers: the arguments of every device's kernels. Positions lie one after the other, as in a PackedSequence:
// step t has the first batch_sizes[t] sequences, and batch_sizes never increases. A row is one sequence at one
// position.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace gradus::kernel {

enum class RecurrentKind { tanh, relu, lstm, gru };

struct RecurrentStep {
  std::int64_t at = 0, rows = 0;  // the first row, and how many
  // The first `carried` rows continue from the rows at `before`; the others start from h0.
  std::int64_t before = 0, carried = 0;
};

struct Recurrence {
  RecurrentKind kind = RecurrentKind::tanh;
  std::vector<RecurrentStep> steps;  // in the order in which they run
  std::int64_t rows = 0, batch = 0;  // the rows of all steps; the sequences of the first position
  std::int64_t hidden = 0, out = 0;  // features of the cell, and of h, which has fewer where it is projected

  Recurrence(RecurrentKind kind, std::span<const std::int64_t> batch_sizes, bool reverse, std::int64_t hidden,
             std::int64_t out);
  std::int64_t gates() const { return kind == RecurrentKind::lstm ? 4 : kind == RecurrentKind::gru ? 3 : 1; }
  bool projects() const { return out != hidden; }
};

// Matrices are row-major and contiguous; null where the kind has none. T is void where the type is a separate argument.
template <class T>
struct RecurrentForward {
  const T *w_hh = nullptr, *w_hr = nullptr;  // [gates hidden, out], [out, hidden]
  const T* b_hn = nullptr;                   // [hidden]: GRU's
  const T *h0 = nullptr, *c0 = nullptr;      // [batch, out], [batch, hidden]
  T* gates = nullptr;  // [rows, gates hidden]: first W_ih x with all other biases, afterwards the values of the gates
  T* from = nullptr;   // [rows, hidden]: GRU's W_hn h + b_hn
  T* cells = nullptr;  // [rows, hidden]: LSTM's c
  T* y = nullptr;      // [rows, out]; the same memory as `gates` for kinds without gates
  T* c_n = nullptr;    // [batch, hidden]
};

template <class T>
struct RecurrentBackward {
  const T *w_hh = nullptr, *w_hr = nullptr, *h0 = nullptr, *c0 = nullptr;
  const T *gates = nullptr, *from = nullptr, *cells = nullptr, *y = nullptr;  // as forward left them
  const T* g_y = nullptr;                                                     // [rows, out]
  T* g_gates = nullptr;      // [rows, gates hidden]: the gradient of W_ih x
  T* g_from = nullptr;       // [rows, gates hidden]: the gradient of W_hh h; GRU only, as it is g_gates for the others
  T* g_h = nullptr;          // [batch, out]: zeros at first, afterwards the gradient of h0
  T* g_c = nullptr;          // [batch, hidden]: the gradient of c_n at first, afterwards that of c0
  T* g_projected = nullptr;  // [rows, out]: the gradient of the projected h
  T* unprojected = nullptr;  // [rows, hidden]: h before the projection
};

}  // namespace gradus::kernel
