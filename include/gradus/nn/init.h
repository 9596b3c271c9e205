// Initial values for parameters: torch.nn.init. Each changes its tensor in place, without recording, and returns it.
#pragma once

#include <string_view>

#include <gradus/tensor.h>

namespace gradus::nn::init {

// The recommended factor for a nonlinearity: "linear", "conv1d".."conv3d", "sigmoid", "tanh", "relu", "leaky_relu"
// (whose slope is `param`, 0.01 by default), "selu".
double calculate_gain(std::string_view nonlinearity, std::optional<double> param = {});

struct Fans {
  std::int64_t in, out;
};
// sizes[1] and sizes[0], each times the elements of the further dimensions. At least two dimensions (ValueError).
Fans calculate_fans(const Tensor& x);

// "fan_in" keeps the size of what goes forward, "fan_out" that of the gradients.
class FanMode {
 public:
  enum Kind { FanIn, FanOut };
  constexpr FanMode(Kind kind) : kind_(kind) {}
  FanMode(std::string_view name);  // ValueError for another name
  FanMode(const char* name) : FanMode(std::string_view(name)) {}
  constexpr operator Kind() const { return kind_; }

 private:
  Kind kind_;
};

struct KaimingOptions {
  double a = 0;  // the negative slope of leaky_relu
  FanMode mode = FanMode::FanIn;
  std::string_view nonlinearity = "leaky_relu";
  Generator* generator = nullptr;
};

Tensor& uniform_(Tensor& x, double a = 0, double b = 1, Generator* generator = nullptr);
Tensor& normal_(Tensor& x, double mean = 0, double std = 1, Generator* generator = nullptr);
// Normal, with what falls outside [a, b] drawn anew.
Tensor& trunc_normal_(Tensor& x, double mean = 0, double std = 1, double a = -2, double b = 2,
                      Generator* generator = nullptr);
Tensor& constant_(Tensor& x, const Scalar& value);
Tensor& ones_(Tensor& x);
Tensor& zeros_(Tensor& x);
Tensor& eye_(Tensor& x);  // 2-d
// 3-d to 5-d: the identity of a convolution, for as many channels as there are, in each group.
Tensor& dirac_(Tensor& x, std::int64_t groups = 1);
// Glorot and Bengio (2010).
Tensor& xavier_uniform_(Tensor& x, double gain = 1, Generator* generator = nullptr);
Tensor& xavier_normal_(Tensor& x, double gain = 1, Generator* generator = nullptr);
// He et al. (2015). Options by position, or by name: `kaiming_normal_(w, {.mode = "fan_out", .nonlinearity = "relu"})`.
Tensor& kaiming_uniform_(Tensor& x, double a = 0, FanMode mode = FanMode::FanIn,
                         std::string_view nonlinearity = "leaky_relu", Generator* generator = nullptr);
Tensor& kaiming_normal_(Tensor& x, double a = 0, FanMode mode = FanMode::FanIn,
                        std::string_view nonlinearity = "leaky_relu", Generator* generator = nullptr);
inline Tensor& kaiming_uniform_(Tensor& x, const KaimingOptions& o) {
  return kaiming_uniform_(x, o.a, o.mode, o.nonlinearity, o.generator);
}
inline Tensor& kaiming_normal_(Tensor& x, const KaimingOptions& o) {
  return kaiming_normal_(x, o.a, o.mode, o.nonlinearity, o.generator);
}
// A (semi-)orthogonal matrix: Saxe et al. (2013).
Tensor& orthogonal_(Tensor& x, double gain = 1, Generator* generator = nullptr);
// A share `sparsity` of each column is zero, the rest normal: Martens (2010). 2-d.
Tensor& sparse_(Tensor& x, double sparsity, double std = 0.01, Generator* generator = nullptr);

}  // namespace gradus::nn::init
