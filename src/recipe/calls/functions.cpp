// The functions that expressions may call. Names, arguments and defaults are PyTorch's where PyTorch has the function.
#include <gradus/autograd.h>
#include <gradus/models/autoencoder.h>
#include <gradus/models/decoder.h>
#include <gradus/nn/functional.h>

#include <cmath>

#include "recipe/language/formula.h"

namespace gradus::recipe {

namespace {

namespace F = nn::functional;

Shape shape(const std::vector<std::int64_t>& sizes) { return Shape(sizes); }

// One that works on numbers too.
template <Tensor (*for_tensors)(const Tensor&), double (*for_numbers)(double)>
Value unary(const Arguments& a) {
  if (a.is_number(0)) return for_numbers(a.number(0));
  return for_tensors(a.tensor(0));
}
template <Tensor (*function)(const Tensor&)>
Value of_tensor(const Arguments& a) {
  return function(a.tensor(0));
}

std::optional<double> maybe(const Arguments& a, std::size_t i) {
  return a.has(i) ? std::optional(a.number(i)) : std::nullopt;
}
Dims dims(const Arguments& a, std::size_t i) {
  Dims result;
  for (std::int64_t dim : a.integers(i)) result.push_back(dim);
  return result;
}

// The share of samples whose target is among the k highest scores. A sample with a NaN among its scores counts as
// wrong.
Tensor accuracy(const Tensor& scores, const Tensor& target, std::int64_t k) {
  const NoGrad guard;
  if (scores.dim() < 2 || scores.size(1) < 2) {
    throw ShapeError("accuracy: need scores [N, C] of at least two classes, got " + to_string(scores.sizes()) +
                     "; binary_accuracy takes one score per sample");
  }
  if (target.numel() > 0) {
    const double least = target.min().item(), most = target.max().item();
    if (least < 0 || most >= static_cast<double>(scores.size(1))) {
      throw IndexError("accuracy: classes must be in [0, " + std::to_string(scores.size(1)) + "), got " +
                       std::to_string(static_cast<std::int64_t>(least < 0 ? least : most)));
    }
  }
  const Tensor known = !isnan(scores).any(1);
  if (k == 1) return ((argmax(scores, 1) == target) & known).to(kFloat64).mean();
  const Tensor best = topk(scores, k, 1).second;
  return ((best == target.unsqueeze(1)) & known.unsqueeze(1)).to(kFloat64).sum() / static_cast<double>(target.numel());
}

// The share of samples on the right side of the threshold.
Tensor binary_accuracy(const Tensor& scores, const Tensor& target, double threshold) {
  const NoGrad guard;
  return (((scores > threshold) == (target > 0.5)) & !isnan(scores)).to(kFloat64).mean();
}

// Of points between real and made ones: (|gradient of D| - 1)^2. Gulrajani et al. (2017).
Tensor gradient_penalty(nn::Module& critic, const Tensor& real, const Tensor& fake) {
  if (real.sizes() != fake.sizes()) {
    throw ShapeError("gradient_penalty: real and fake must have the same sizes, got " + to_string(real.sizes()) +
                     " and " + to_string(fake.sizes()));
  }
  const EnableGrad guard;
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(real.dim()), 1);
  sizes[0] = real.size(0);
  const Tensor share = rand(shape(sizes), {.device = real.device()});
  Tensor between = (share * real + (1 - share) * fake).detach();
  between.requires_grad_(true);
  const Tensor gradient = autograd::grad({critic(between).sum()}, {between}, {}, {.create_graph = true})[0];
  const Tensor length = gradient.reshape({real.size(0), -1}).norm(2, 1);
  return square(length - 1).mean();
}

}  // namespace

const std::vector<Function>& functions() {
  using A = const Arguments&;
  const auto function = [](const char* signature, const char* help, Value (*compute)(A)) {
    return Function{parse_signature(signature, help), compute};
  };
  static const std::vector<Function> all{
      // Losses. A number stands for a target of the input's sizes.
      function(
          "cross_entropy(input: tensor, target: tensor, ignore_index: int = -100, "
          "reduction: (mean|sum|none) = mean, label_smoothing: number[0,1] = 0)",
          "from scores [N, C] and classes [N]",
          [](A a) -> Value {
            return F::cross_entropy(
                a.tensor(0), a.tensor(1),
                {.ignore_index = a.integer(2), .reduction = nn::Reduction(a.text(3)), .label_smoothing = a.number(4)});
          }),
      function("causal_lm_loss(logits: tensor, labels: tensor)",
               "cross entropy of each token, given those before it, from logits [N, positions, vocabulary] and the "
               "tokens themselves; labels of -100 are ignored",
               [](A a) -> Value { return models::causal_lm_loss(a.tensor(0), a.tensor(1)); }),
      function("nll_loss(input: tensor, target: tensor, ignore_index: int = -100, reduction: (mean|sum|none) = mean)",
               "from log-probabilities and classes",
               [](A a) -> Value {
                 return F::nll_loss(a.tensor(0), a.tensor(1),
                                    {.ignore_index = a.integer(2), .reduction = nn::Reduction(a.text(3))});
               }),
      function("binary_cross_entropy(input: tensor, target: tensor, reduction: (mean|sum|none) = mean)",
               "from probabilities; the target may be a number",
               [](A a) -> Value {
                 const Tensor x = a.tensor(0), mean = x.mean();
                 if (std::isnan(mean.item())) return mean;  // a network that has diverged: the run says so
                 return F::binary_cross_entropy(x, a.tensor_like(1, x), {.reduction = nn::Reduction(a.text(2))});
               }),
      function("binary_cross_entropy_with_logits(input: tensor, target: tensor, reduction: (mean|sum|none) = mean)",
               "from scores; the target may be a number",
               [](A a) -> Value {
                 const Tensor x = a.tensor(0);
                 return F::binary_cross_entropy_with_logits(x, a.tensor_like(1, x),
                                                            {.reduction = nn::Reduction(a.text(2))});
               }),
      function("mse_loss(input: tensor, target: tensor, reduction: (mean|sum|none) = mean)", "squared differences",
               [](A a) -> Value {
                 const Tensor x = a.tensor(0);
                 return F::mse_loss(x, a.tensor_like(1, x), {.reduction = nn::Reduction(a.text(2))});
               }),
      function("l1_loss(input: tensor, target: tensor, reduction: (mean|sum|none) = mean)", "absolute differences",
               [](A a) -> Value {
                 const Tensor x = a.tensor(0);
                 return F::l1_loss(x, a.tensor_like(1, x), {.reduction = nn::Reduction(a.text(2))});
               }),
      function("smooth_l1_loss(input: tensor, target: tensor, beta: number>=0 = 1, reduction: (mean|sum|none) = mean)",
               "a parabola up to beta, a line beyond",
               [](A a) -> Value {
                 const Tensor x = a.tensor(0);
                 return F::smooth_l1_loss(x, a.tensor_like(1, x),
                                          {.reduction = nn::Reduction(a.text(3)), .beta = a.number(2)});
               }),
      function("huber_loss(input: tensor, target: tensor, delta: number>0 = 1, reduction: (mean|sum|none) = mean)",
               "smooth_l1_loss with beta = delta, times delta",
               [](A a) -> Value {
                 const Tensor x = a.tensor(0);
                 return F::huber_loss(x, a.tensor_like(1, x),
                                      {.reduction = nn::Reduction(a.text(3)), .delta = a.number(2)});
               }),
      function("kl_div(input: tensor, target: tensor, reduction: (mean|sum|none|batchmean) = mean, "
               "log_target: flag = false)",
               "from log-probabilities and probabilities",
               [](A a) -> Value {
                 return F::kl_div(a.tensor(0), a.tensor(1),
                                  {.reduction = nn::Reduction(a.text(2)), .log_target = a.flag(3)});
               }),
      function("gradient_penalty(critic: network, real: tensor, fake: tensor)",
               "(|gradient| - 1)^2 at points between real and fake, as in WGAN-GP",
               [](A a) -> Value { return gradient_penalty(a.network(0), a.tensor(1), a.tensor(2)); }),
      // Metrics.
      function("accuracy(scores: tensor, target: tensor, k: int>=1 = 1)",
               "the share of samples whose class is among the k highest scores",
               [](A a) -> Value { return accuracy(a.tensor(0), a.tensor(1), a.integer(2)); }),
      function("binary_accuracy(scores: tensor, target: tensor, threshold: number = 0)",
               "the share of samples whose score is above the threshold exactly if the target is 1",
               [](A a) -> Value {
                 const Tensor x = a.tensor(0);
                 return binary_accuracy(x, a.tensor_like(1, x), a.number(2));
               }),
      // Random numbers. They are drawn in the order in which an update needs them.
      function("rand(sizes: int...)", "uniform in [0, 1)",
               [](A a) -> Value { return rand(shape(a.integers(0)), {.device = a.device()}); }),
      function("randn(sizes: int...)", "standard normal",
               [](A a) -> Value { return randn(shape(a.integers(0)), {.device = a.device()}); }),
      function("rand_like(input: tensor)", "rand with the sizes of input",
               [](A a) -> Value { return rand_like(a.tensor(0).detach()); }),
      function("randn_like(input: tensor)", "randn with the sizes of input",
               [](A a) -> Value { return randn_like(a.tensor(0).detach()); }),
      function("randint(low: int, high: int, sizes: int...)", "whole numbers from low to high - 1",
               [](A a) -> Value {
                 return randint(a.integer(0), a.integer(1), shape(a.integers(2)), {.device = a.device()});
               }),
      function("awgn(input: tensor, sigma: number)", "input plus white Gaussian noise",
               [](A a) -> Value { return models::awgn(a.tensor(0), a.number(1)); }),
      function(
          "noise_sigma(ebn0_db: number, bits: number>0, uses: number>0)",
          "the standard deviation of the noise at an Eb/N0 in dB, for bits sent in this many channel uses of energy 1",
          [](A a) -> Value { return models::noise_sigma(a.number(0), a.number(1), a.number(2)); }),
      // Tensors.
      function("zeros(sizes: int...)", "",
               [](A a) -> Value { return zeros(shape(a.integers(0)), {.device = a.device()}); }),
      function("ones(sizes: int...)", "",
               [](A a) -> Value { return ones(shape(a.integers(0)), {.device = a.device()}); }),
      function("zeros_like(input: tensor)", "", [](A a) -> Value { return zeros_like(a.tensor(0).detach()); }),
      function("ones_like(input: tensor)", "", [](A a) -> Value { return ones_like(a.tensor(0).detach()); }),
      function("one_hot(input: tensor, num_classes: int>=1)", "float32",
               [](A a) -> Value { return one_hot(a.tensor(0), a.integer(1)).to(kFloat32); }),
      function("float(input: tensor)", "as float32", [](A a) -> Value { return a.tensor(0).to(kFloat32); }),
      function("detach(input: tensor)", "the same values, through which no gradient passes",
               [](A a) -> Value { return a.tensor(0).detach(); }),
      function("cat(tensors: [tensor], dim: int = 0)", "along an existing dimension",
               [](A a) -> Value { return cat(a.tensors(0), a.integer(1)); }),
      function("stack(tensors: [tensor], dim: int = 0)", "along a new dimension",
               [](A a) -> Value { return stack(a.tensors(0), a.integer(1)); }),
      function("reshape(input: tensor, shape: int...)", "",
               [](A a) -> Value { return reshape(a.tensor(0), shape(a.integers(1))); }),
      function("view(input: tensor, shape: int...)", "as reshape",
               [](A a) -> Value { return reshape(a.tensor(0), shape(a.integers(1))); }),
      function("flatten(input: tensor, start_dim: int = 0, end_dim: int = -1)", "",
               [](A a) -> Value { return flatten(a.tensor(0), a.integer(1), a.integer(2)); }),
      function("transpose(input: tensor, dim0: int, dim1: int)", "",
               [](A a) -> Value { return transpose(a.tensor(0), a.integer(1), a.integer(2)); }),
      function("permute(input: tensor, dims: int...)", "",
               [](A a) -> Value { return permute(a.tensor(0), shape(a.integers(1))); }),
      function("squeeze(input: tensor, dim: int)", "", [](A a) -> Value { return squeeze(a.tensor(0), a.integer(1)); }),
      function("unsqueeze(input: tensor, dim: int)", "",
               [](A a) -> Value { return unsqueeze(a.tensor(0), a.integer(1)); }),
      function("narrow(input: tensor, dim: int, start: int, length: int)", "",
               [](A a) -> Value { return narrow(a.tensor(0), a.integer(1), a.integer(2), a.integer(3)); }),
      function("select(input: tensor, dim: int, index: int)", "",
               [](A a) -> Value { return select(a.tensor(0), a.integer(1), a.integer(2)); }),
      function("matmul(input: tensor, other: tensor)", "as a @ b",
               [](A a) -> Value { return matmul(a.tensor(0), a.tensor(1)); }),
      function("sum(input: tensor, dim: int... = none, keepdim: flag = false)", "",
               [](A a) -> Value { return sum(a.tensor(0), dims(a, 1), a.flag(2)); }),
      function("mean(input: tensor, dim: int... = none, keepdim: flag = false)", "",
               [](A a) -> Value { return mean(a.tensor(0), dims(a, 1), a.flag(2)); }),
      function("norm(input: tensor, p: number = 2, dim: int... = none, keepdim: flag = false)", "",
               [](A a) -> Value { return norm(a.tensor(0), a.number(1), dims(a, 2), a.flag(3)); }),
      function("normalize(input: tensor, p: number = 2, dim: int = 1, eps: number>=0 = 1e-12)", "to norm 1",
               [](A a) -> Value { return F::normalize(a.tensor(0), a.number(1), a.integer(2), a.number(3)); }),
      function("argmax(input: tensor, dim: int)", "", [](A a) -> Value { return argmax(a.tensor(0), a.integer(1)); }),
      function("clamp(input: tensor, min: number = none, max: number = none)", "",
               [](A a) -> Value { return clamp(a.tensor(0), maybe(a, 1), maybe(a, 2)); }),
      function("softmax(input: tensor, dim: int)", "", [](A a) -> Value { return softmax(a.tensor(0), a.integer(1)); }),
      function("log_softmax(input: tensor, dim: int)", "",
               [](A a) -> Value { return log_softmax(a.tensor(0), a.integer(1)); }),
      function("relu(input: tensor)", "", of_tensor<relu>),
      function("sigmoid(input: tensor)", "", of_tensor<sigmoid>),
      function("tanh(input: tensor)", "", unary<tanh, std::tanh>),
      function("sqrt(input: tensor)", "also of a number", unary<sqrt, std::sqrt>),
      function("exp(input: tensor)", "also of a number", unary<exp, std::exp>),
      function("log(input: tensor)", "also of a number", unary<log, std::log>),
      function("log2(input: tensor)", "also of a number", unary<log2, std::log2>),
      function("abs(input: tensor)", "", of_tensor<abs>),
      function("square(input: tensor)", "", of_tensor<square>),
  };
  return all;
}

}  // namespace gradus::recipe
