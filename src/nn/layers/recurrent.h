// What recurrent layers and cells share.
#pragma once

#include <gradus/nn/layers/rnn.h>

#include <span>

#include "ops/recurrent/recurrent.h"

namespace gradus::nn {

// One layer in one direction, in the type that autocast asks for: h at every row of x [rows, features], and LSTM's last
// cells. Refuses types that do not go together.
LSTMState recurrent_way(const char* layer, kernel::RecurrentKind kind, std::span<const std::int64_t> batch_sizes,
                        bool reverse, const Tensor& x, const ops::RecurrentWeights& w, const LSTMState& initial);

// Sizes of 1 or more, and a known nonlinearity; true for "relu".
void check_recurrent_sizes(const char* layer, std::int64_t input_size, std::int64_t hidden_size);
bool is_relu(const char* layer, const std::string& nonlinearity);

namespace utils::rnn {
// Checked, as they decide what is read and written: positive, not increasing, as many rows together as data has.
std::vector<std::int64_t> batch_sizes_of(const char* call, const PackedSequence& packed);
}  // namespace utils::rnn

}  // namespace gradus::nn
