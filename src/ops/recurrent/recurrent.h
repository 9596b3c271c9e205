// One layer of a recurrent network in one direction: one node of the graph for all positions.
#pragma once

#include <gradus/tensor.h>

#include "kernels/recurrent.h"

namespace gradus::ops {

struct RecurrentWeights {
  Tensor ih, hh, bias_ih, bias_hh, hr;  // both biases or neither; hr where the h of an LSTM is projected
};

struct RecurrentResult {
  Tensor y;    // [rows, out]: h at every position
  Tensor c_n;  // [batch, hidden]: LSTM's last cells
};

// x [rows, features] as in a PackedSequence: batch_sizes[t] sequences at position t, never more than at t - 1. h0
// [batch, out], c0 [batch, hidden]. The caller checks sizes and types.
RecurrentResult recurrent(kernel::RecurrentKind kind, std::span<const std::int64_t> batch_sizes, bool reverse,
                          const Tensor& x, const RecurrentWeights& w, const Tensor& h0, const Tensor& c0);

// What backward computes step by step.
struct RecurrentGradients {
  Tensor gates;                   // [rows, gates hidden]: the gradient of W_ih x
  Tensor from;                    // the gradient of W_hh h; the same tensor as `gates` except for GRU
  Tensor before;                  // [rows, out]: the previous state of each row
  Tensor h0, c0;                  // the gradients of the initial states
  Tensor projected, unprojected;  // [rows, out]: the gradient of the projected h; [rows, hidden]: h before it
};

struct RecurrentInputs {
  Tensor x;
  RecurrentWeights w;
  Tensor h0, c0;
};

// The same written with operations, which can be differentiated again.
RecurrentGradients recurrent_gradients(const kernel::Recurrence& r, const RecurrentInputs& in, const Tensor& g_y,
                                       const Tensor& g_c);

}  // namespace gradus::ops
