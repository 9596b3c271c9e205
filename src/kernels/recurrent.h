// Recurrent layers: what the kernels of every device are given. Positions lie one after the other, as in a
// PackedSequence: step t has the first batch_sizes[t] sequences, which never become more. A row is one sequence at one
// position.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace gradus::kernel {

enum class RecurrentKind { tanh, relu, lstm, gru };

struct RecurrentStep {
  std::int64_t at = 0, rows = 0;         // the first row, and how many
  std::int64_t before = 0, carried = 0;  // the first `carried` rows go on from those at `before`, the rest from h0
};

struct Recurrence {
  RecurrentKind kind = RecurrentKind::tanh;
  std::vector<RecurrentStep> steps;  // in the order in which they run
  std::int64_t rows = 0, batch = 0;  // of all steps; of the first position
  std::int64_t hidden = 0, out = 0;  // features of the cell, and of h: fewer where it is projected

  Recurrence(RecurrentKind kind, std::span<const std::int64_t> batch_sizes, bool reverse, std::int64_t hidden,
             std::int64_t out);
  std::int64_t gates() const { return kind == RecurrentKind::lstm ? 4 : kind == RecurrentKind::gru ? 3 : 1; }
  bool projects() const { return out != hidden; }
};

// Matrices are row-major and contiguous. Null where a kind has none. T is void where the type is said beside it.
template <class T>
struct RecurrentForward {
  const T *w_hh = nullptr, *w_hr = nullptr;  // [gates hidden, out], [out, hidden]
  const T* b_hn = nullptr;                   // [hidden]: GRU's
  const T *h0 = nullptr, *c0 = nullptr;      // [batch, out], [batch, hidden]
  T* gates = nullptr;  // [rows, gates hidden]: what the inputs give with all other biases; then the gates' values
  T* from = nullptr;   // [rows, hidden]: what GRU's state gives the third gate
  T* cells = nullptr;  // [rows, hidden]: LSTM's c
  T* y = nullptr;      // [rows, out]; without gates it is `gates` itself
  T* c_n = nullptr;    // [batch, hidden]
};

template <class T>
struct RecurrentBackward {
  const T *w_hh = nullptr, *w_hr = nullptr, *h0 = nullptr, *c0 = nullptr;
  const T *gates = nullptr, *from = nullptr, *cells = nullptr, *y = nullptr;  // as forward left them
  const T* g_y = nullptr;                                                     // [rows, out]
  T* g_gates = nullptr;      // [rows, gates hidden]: the gradient of what the inputs give
  T* g_from = nullptr;       // the same of what the state gives, where it differs: GRU's
  T* g_h = nullptr;          // [batch, out]: zeros; then the gradient of h0
  T* g_c = nullptr;          // [batch, hidden]: the gradient of c_n; then of c0
  T* g_projected = nullptr;  // [rows, out]: of what w_hr gives
  T* unprojected = nullptr;  // [rows, hidden]: what it was given
};

}  // namespace gradus::kernel
