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

enum class FanMode { FanIn, FanOut };

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
// He et al. (2015).
Tensor& kaiming_uniform_(Tensor& x, double a = 0, FanMode mode = FanMode::FanIn,
                         std::string_view nonlinearity = "leaky_relu", Generator* generator = nullptr);
Tensor& kaiming_normal_(Tensor& x, double a = 0, FanMode mode = FanMode::FanIn,
                        std::string_view nonlinearity = "leaky_relu", Generator* generator = nullptr);
// A (semi-)orthogonal matrix: Saxe et al. (2013).
Tensor& orthogonal_(Tensor& x, double gain = 1, Generator* generator = nullptr);
// A share `sparsity` of each column is zero, the rest normal: Martens (2010). 2-d.
Tensor& sparse_(Tensor& x, double sparsity, double std = 0.01, Generator* generator = nullptr);

}  // namespace gradus::nn::init
