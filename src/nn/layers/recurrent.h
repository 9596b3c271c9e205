// One step of the recurrent layers: `x` and `h` are what linear layers made of the input and of the last state, [N,
// gates hidden_size].
#pragma once

#include <gradus/nn/rnn.h>

namespace gradus::nn {

inline Tensor rnn_step(const Tensor& x, const Tensor& h, bool with_relu) {
  return with_relu ? relu(x + h) : tanh(x + h);
}

inline LSTMState lstm_step(const Tensor& x, const Tensor& h, const Tensor& c) {
  const auto gates = chunk(x + h, 4, -1);
  const Tensor cell = sigmoid(gates[1]) * c + sigmoid(gates[0]) * tanh(gates[2]);
  return {sigmoid(gates[3]) * tanh(cell), cell};
}

inline Tensor gru_step(const Tensor& x, const Tensor& h, const Tensor& last) {
  const auto in = chunk(x, 3, -1), from = chunk(h, 3, -1);
  const Tensor reset = sigmoid(in[0] + from[0]), keep = sigmoid(in[1] + from[1]);
  const Tensor fresh = tanh(in[2] + reset * from[2]);
  return (last - fresh) * keep + fresh;
}

// Sizes of 1 or more, and a known nonlinearity; true for "relu".
void check_recurrent_sizes(const char* layer, std::int64_t input_size, std::int64_t hidden_size);
bool is_relu(const char* layer, const std::string& nonlinearity);

}  // namespace gradus::nn
