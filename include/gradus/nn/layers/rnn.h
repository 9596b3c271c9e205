// Recurrent layers: Elman (1990), Hochreiter and Schmidhuber (1997), Cho et al. (2014). Formulas, names and the order
// of gates are PyTorch's. All parameters start uniform in +-1/sqrt(hidden_size).
//
// x is [L, N, input_size] (with batch_first [N, L, input_size]) or, without a batch, [L, input_size]. The result has
// D * hidden_size features, where D is 2 for bidirectional layers and 1 for others. States are [D num_layers, N,
// hidden_size] or [D num_layers, hidden_size]; by default they are zero. The parameters of layer k are weight_ih_lk
// [gates hidden_size, features], weight_hh_lk [gates hidden_size, hidden_size], bias_ih_lk and bias_hh_lk, with the
// suffix _reverse for the backward direction. Sequences of different lengths are passed and returned as a
// PackedSequence; states are in the caller's order. All positions of a layer and a direction are one node of the graph.
#pragma once

#include <gradus/nn/layers/positional.h>
#include <gradus/nn/module.h>
#include <gradus/nn/utils/rnn.h>

namespace gradus::nn {

struct RNNOptions {
  std::int64_t num_layers = 1;
  std::string nonlinearity = "tanh";  // or "relu"
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;  // in [0, 1]: applied to the results of all layers but the last
  bool bidirectional = false;
  Dtype dtype = kFloat32;
};

struct LSTMOptions {
  std::int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;
  bool bidirectional = false;
  std::int64_t proj_size = 0;  // above 0: h is projected to this size by weight_hr_lk (Sak et al., 2014)
  Dtype dtype = kFloat32;
};

struct GRUOptions {
  std::int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;
  bool bidirectional = false;
  Dtype dtype = kFloat32;
};

struct LSTMState {
  Tensor h, c;
};

namespace detail {

// What the three kinds share: layers, directions and batches. A kind adds the step from one position to the next.
class Recurrent : public Module {
 public:
  using Packed = utils::rnn::PackedSequence;
  std::int64_t input_size, hidden_size;

 protected:
  enum class Kind { Tanh, Relu, LSTM, GRU };  // in the order of kernel::RecurrentKind
  template <class Options>
  static Options with_layers(Options options, std::int64_t num_layers) {
    options.num_layers = num_layers;
    return options;
  }
  Recurrent(const char* type, Kind kind, std::int64_t input_size, std::int64_t hidden_size, const LSTMOptions& options);
  struct Result {
    Tensor output;
    LSTMState state;  // c only for LSTM
  };
  struct PackedResult {
    Packed output;
    LSTMState state;
  };
  Result run(const Tensor& x, const LSTMState& initial) const;
  PackedResult run(const Packed& x, const LSTMState& initial) const;

 private:
  Result run_layers(const Tensor& x, const std::vector<std::int64_t>& batch_sizes, const LSTMState& initial) const;
  Tensor initial_state(const char* name, const Tensor& given, std::int64_t batch, std::int64_t features, bool batched,
                       const Tensor& x) const;

  Kind kind_;
  LSTMOptions options_;
};

}  // namespace detail

// h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or with relu.
class RNN : public detail::Recurrent {
 public:
  RNN(std::int64_t input_size, std::int64_t hidden_size, const RNNOptions& options = {});
  template <detail::Count Layers>
  RNN(std::int64_t inputs, std::int64_t hidden, Layers num_layers, const RNNOptions& options = {})
      : RNN(inputs, hidden, with_layers(options, static_cast<std::int64_t>(num_layers))) {}
  // {output, h_n}
  std::pair<Tensor, Tensor> forward(const Tensor& x, const Tensor& h_0);
  std::pair<Tensor, Tensor> operator()(const Tensor& x, const Tensor& h_0 = Tensor()) {
    return call([&] { return forward(x, h_0); });
  }
  std::pair<Packed, Tensor> forward(const Packed& x, const Tensor& h_0);
  std::pair<Packed, Tensor> operator()(const Packed& x, const Tensor& h_0 = Tensor()) {
    return call([&] { return forward(x, h_0); });
  }

 private:
  using Module::forward;
};

// i, f, o = sigmoid(...), g = tanh(...), in the order i, f, g, o; c' = f c + i g; h' = o tanh(c').
class LSTM : public detail::Recurrent {
 public:
  LSTM(std::int64_t input_size, std::int64_t hidden_size, const LSTMOptions& options = {});
  template <detail::Count Layers>
  LSTM(std::int64_t inputs, std::int64_t hidden, Layers num_layers, const LSTMOptions& options = {})
      : LSTM(inputs, hidden, with_layers(options, static_cast<std::int64_t>(num_layers))) {}
  // {output, {h_n, c_n}}: `auto [y, state] = lstm(x, {h, c});`
  std::pair<Tensor, LSTMState> forward(const Tensor& x, const LSTMState& state);
  std::pair<Tensor, LSTMState> operator()(const Tensor& x, const LSTMState& state = {}) {
    return call([&] { return forward(x, state); });
  }
  std::pair<Packed, LSTMState> forward(const Packed& x, const LSTMState& state);
  std::pair<Packed, LSTMState> operator()(const Packed& x, const LSTMState& state = {}) {
    return call([&] { return forward(x, state); });
  }

 private:
  using Module::forward;
};

// r, z = sigmoid(...), n = tanh(W_in x + b_in + r (W_hn h + b_hn)), in the order r, z, n; h' = (1 - z) n + z h.
class GRU : public detail::Recurrent {
 public:
  GRU(std::int64_t input_size, std::int64_t hidden_size, const GRUOptions& options = {});
  template <detail::Count Layers>
  GRU(std::int64_t inputs, std::int64_t hidden, Layers num_layers, const GRUOptions& options = {})
      : GRU(inputs, hidden, with_layers(options, static_cast<std::int64_t>(num_layers))) {}
  std::pair<Tensor, Tensor> forward(const Tensor& x, const Tensor& h_0);
  std::pair<Tensor, Tensor> operator()(const Tensor& x, const Tensor& h_0 = Tensor()) {
    return call([&] { return forward(x, h_0); });
  }
  std::pair<Packed, Tensor> forward(const Packed& x, const Tensor& h_0);
  std::pair<Packed, Tensor> operator()(const Packed& x, const Tensor& h_0 = Tensor()) {
    return call([&] { return forward(x, h_0); });
  }

 private:
  using Module::forward;
};

struct RNNCellOptions {
  bool bias = true;
  std::string nonlinearity = "tanh";  // or "relu"
  Dtype dtype = kFloat32;
};

struct CellOptions {
  bool bias = true;
  Dtype dtype = kFloat32;
};

// One step of the above: x [N, input_size] or [input_size], states [N, hidden_size] or [hidden_size], zero by default.
class RNNCell : public Module {
 public:
  Parameter weight_ih, weight_hh, bias_ih, bias_hh;
  RNNCell(std::int64_t input_size, std::int64_t hidden_size, const RNNCellOptions& options = {});
  Tensor forward(const Tensor& x) override { return forward(x, Tensor()); }
  Tensor forward(const Tensor& x, const Tensor& h);
  using Module::operator();
  Tensor operator()(const Tensor& x, const Tensor& h) {
    return call([&] { return forward(x, h); });
  }

 private:
  bool relu_;
};

class LSTMCell : public Module {
 public:
  Parameter weight_ih, weight_hh, bias_ih, bias_hh;
  LSTMCell(std::int64_t input_size, std::int64_t hidden_size, const CellOptions& options = {});
  LSTMState forward(const Tensor& x, const LSTMState& state);
  LSTMState operator()(const Tensor& x, const LSTMState& state = {}) {
    return call([&] { return forward(x, state); });
  }

 private:
  using Module::forward;
};

class GRUCell : public Module {
 public:
  Parameter weight_ih, weight_hh, bias_ih, bias_hh;
  GRUCell(std::int64_t input_size, std::int64_t hidden_size, const CellOptions& options = {});
  Tensor forward(const Tensor& x) override { return forward(x, Tensor()); }
  Tensor forward(const Tensor& x, const Tensor& h);
  using Module::operator();
  Tensor operator()(const Tensor& x, const Tensor& h) {
    return call([&] { return forward(x, h); });
  }
};

}  // namespace gradus::nn
