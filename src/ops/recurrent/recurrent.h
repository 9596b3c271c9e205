// One layer of a recurrent network in one direction: one node of the graph for all positions.
#pragma once

#include <gradus/tensor.h>

#include "kernels/recurrent.h"

namespace gradus::ops {

struct RecurrentWeights {
  Tensor ih, hh, bias_ih, bias_hh, hr;  // the biases go together; hr where LSTM's h is projected
};

struct RecurrentResult {
  Tensor y;    // [rows, out]: h at every position
  Tensor c_n;  // [batch, hidden]: LSTM's last cells
};

// x [rows, features] as in a PackedSequence: batch_sizes[t] sequences at position t, which never become more. h0
// [batch, out], c0 [batch, hidden]. Sizes and types are checked by the caller.
RecurrentResult recurrent(kernel::RecurrentKind kind, std::span<const std::int64_t> batch_sizes, bool reverse,
                          const Tensor& x, const RecurrentWeights& w, const Tensor& h0, const Tensor& c0);

// What backward works out from step to step.
struct RecurrentGradients {
  Tensor gates;                   // [rows, gates hidden]: the gradient of what the inputs give
  Tensor from;                    // the same of what the state gives; `gates` itself but for GRU
  Tensor before;                  // [rows, out]: the state before
  Tensor h0, c0;                  // of the first state
  Tensor projected, unprojected;  // [rows, out], [rows, hidden]: of what hr gives, and what it was given
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
