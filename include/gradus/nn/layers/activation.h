// Activations as modules; the functions are in gradus/ops.h.
#pragma once

#include <gradus/nn/module.h>

namespace gradus::nn {

// max(x, 0). In place, the input's memory takes the result.
class ReLU : public Module {
 public:
  explicit ReLU(bool inplace = false);
  Tensor forward(const Tensor& x) override;
  bool inplace() const { return inplace_; }

 private:
  bool inplace_;
};

class LeakyReLU : public Module {
 public:
  explicit LeakyReLU(double negative_slope = 0.01, bool inplace = false);
  Tensor forward(const Tensor& x) override;
  double negative_slope() const { return negative_slope_; }

 private:
  double negative_slope_;
  bool inplace_;
};

// min(max(x, min_val), max_val)
class Hardtanh : public Module {
 public:
  explicit Hardtanh(double min_val = -1, double max_val = 1, bool inplace = false);
  Tensor forward(const Tensor& x) override;

 protected:
  Hardtanh(const char* type, std::string detail, double min_val, double max_val, bool inplace);

 private:
  double min_val_, max_val_;
  bool inplace_;
};

// min(max(x, 0), 6): Krizhevsky (2010).
struct ReLU6 : Hardtanh {
  explicit ReLU6(bool inplace = false) : Hardtanh("ReLU6", inplace ? "inplace=True" : "", 0, 6, inplace) {}
};

class ELU : public Module {
 public:
  explicit ELU(double alpha = 1.0, bool inplace = false);
  Tensor forward(const Tensor& x) override;

 private:
  double alpha_;
  bool inplace_;
};

// approximate: "none" (erf) or "tanh".
class GELU : public Module {
 public:
  explicit GELU(std::string approximate = "none");
  Tensor forward(const Tensor& x) override { return gelu(x, approximate_); }

 private:
  std::string approximate_;
};

class Softplus : public Module {
 public:
  explicit Softplus(double beta = 1.0, double threshold = 20.0);
  Tensor forward(const Tensor& x) override { return softplus(x, beta_, threshold_); }

 private:
  double beta_, threshold_;
};

class SiLU : public Module {
 public:
  explicit SiLU(bool inplace = false) : Module("SiLU", inplace ? "inplace=True" : ""), inplace_(inplace) {}
  Tensor forward(const Tensor& x) override;

 private:
  bool inplace_;
};

class Tanh : public Module {
 public:
  Tanh() : Module("Tanh") {}
  Tensor forward(const Tensor& x) override { return tanh(x); }
};

class Sigmoid : public Module {
 public:
  Sigmoid() : Module("Sigmoid") {}
  Tensor forward(const Tensor& x) override { return sigmoid(x); }
};

class LogSigmoid : public Module {
 public:
  LogSigmoid() : Module("LogSigmoid") {}
  Tensor forward(const Tensor& x) override { return logsigmoid(x); }
};

// Along `dim`, which PyTorch guesses when it is not given and Gradus asks for.
class Softmax : public Module {
 public:
  explicit Softmax(std::int64_t dim);
  Tensor forward(const Tensor& x) override { return softmax(x, dim_); }

 private:
  std::int64_t dim_;
};

class LogSoftmax : public Module {
 public:
  explicit LogSoftmax(std::int64_t dim);
  Tensor forward(const Tensor& x) override { return log_softmax(x, dim_); }

 private:
  std::int64_t dim_;
};

}  // namespace gradus::nn
