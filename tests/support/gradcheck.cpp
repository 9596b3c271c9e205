#include "support/gradcheck.h"

#include <gradus/autograd.h>
#include <gradus/ops.h>

#include <cmath>

namespace gradus::test {

namespace {

double dot_product(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

testing::AssertionResult check_inputs(const std::vector<Tensor>& inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& x = inputs[i];
    if (x.requires_grad() && (x.dtype() != kFloat64 || !x.is_contiguous() || !x.is_leaf()))
      return testing::AssertionFailure() << "input " << i << " must be a contiguous float64 leaf";
  }
  return testing::AssertionSuccess();
}

std::vector<Tensor> differentiable(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> found;
  for (const Tensor& x : inputs)
    if (x.requires_grad()) found.push_back(x);
  return found;
}

}  // namespace

Tensor fixed_weights(const Shape& sizes, std::uint64_t seed) {
  std::vector<double> values(static_cast<std::size_t>(sizes.numel()));
  std::uint64_t state = seed * 0x9E3779B97F4A7C15u + 12345;
  for (double& v : values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const double u = static_cast<double>(state >> 11) * 0x1p-53;
    v = u < 0.5 ? -0.25 - 1.5 * u : 0.25 + 1.5 * (u - 0.5);
  }
  return tensor(values, sizes, {.dtype = kFloat64});
}

testing::AssertionResult gradcheck(const Function& fn, const std::vector<Tensor>& inputs,
                                   const GradcheckOptions& options) {
  if (auto valid = check_inputs(inputs); !valid) return valid;
  const std::vector<Tensor> wanted = differentiable(inputs);
  if (wanted.empty()) return testing::AssertionFailure() << "no input requires a gradient";

  const Tensor y = fn(inputs);
  if (y.dtype() != kFloat64) return testing::AssertionFailure() << "the result is " << to_string(y.dtype());
  const Tensor weights = fixed_weights(y.sizes());
  const std::vector<double> w = weights.to_vector<double>();
  std::vector<Tensor> grads(wanted.size());
  if (y.requires_grad()) grads = autograd::grad({y}, wanted, {weights}, {.allow_unused = true});

  std::size_t next = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad()) continue;
    const Tensor& grad = grads[next++];
    const Shape sizes = inputs[i].sizes();
    if (grad.defined() && !(grad.sizes() == sizes)) {
      return testing::AssertionFailure() << "the gradient of input " << i << " has sizes " << to_string(grad.sizes())
                                         << ", the input " << to_string(sizes);
    }
    if (grad.defined() && grad.dtype() != kFloat64)
      return testing::AssertionFailure() << "the gradient of input " << i << " is " << to_string(grad.dtype());
    const auto count = static_cast<std::size_t>(inputs[i].numel());
    const auto analytic = grad.defined() ? grad.to_vector<double>() : std::vector<double>(count, 0.0);
    auto* data = inputs[i].data_ptr<double>();
    for (std::size_t k = 0; k < count; ++k) {
      const double x = data[k];
      const NoGrad guard;
      data[k] = x + options.eps;
      const double above = dot_product(w, fn(inputs).to_vector<double>());
      data[k] = x - options.eps;
      const double below = dot_product(w, fn(inputs).to_vector<double>());
      data[k] = x;
      const double numeric = (above - below) / (2 * options.eps);
      if (!(std::abs(analytic[k] - numeric) <= options.atol + options.rtol * std::abs(numeric))) {
        return testing::AssertionFailure()
               << "input " << i << " of sizes " << to_string(sizes) << ", element " << k << " (= " << x
               << "): finite differences give " << numeric << ", the gradient is " << analytic[k]
               << (y.requires_grad() ? grad.defined() ? "" : " (none was computed)" : " (the result has no graph)");
      }
    }
  }
  return testing::AssertionSuccess();
}

testing::AssertionResult gradgradcheck(const Function& fn, const std::vector<Tensor>& inputs,
                                       const GradcheckOptions& options) {
  if (auto valid = check_inputs(inputs); !valid) return valid;
  Tensor incoming = fixed_weights(fn(inputs).sizes(), 2);
  incoming.requires_grad_();
  std::vector<Tensor> all = inputs;
  all.push_back(incoming);
  const Function gradients = [&fn](const std::vector<Tensor>& xs) {
    const EnableGrad guard;
    const std::vector<Tensor> original(xs.begin(), xs.end() - 1);
    Tensor total = zeros({}, {.dtype = kFloat64});
    const Tensor y = fn(original);
    if (!y.requires_grad()) return total;
    const auto grads =
        autograd::grad({y}, differentiable(original), {xs.back()}, {.create_graph = true, .allow_unused = true});
    for (std::size_t i = 0; i < grads.size(); ++i)
      if (grads[i].defined()) total = add(total, sum(mul(grads[i], fixed_weights(grads[i].sizes(), 3 + i))));
    return total;
  };
  auto result = gradcheck(gradients, all, options);
  if (!result)
    return testing::AssertionFailure() << "second order (the last input is the incoming gradient): "
                                       << result.message();
  return result;
}

}  // namespace gradus::test
