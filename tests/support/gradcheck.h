/// Gradients against finite differences, as torch.autograd.gradcheck and gradgradcheck do it.
#pragma once

#include <gradus/tensor.h>

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace gradus::test {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

struct GradcheckOptions {
  double eps = 1e-6;  // half the width of a central difference
  double atol = 1e-5;
  double rtol = 1e-3;
};

/// Compares the gradients of fn at `inputs` (contiguous float64 leaves; those that require a gradient are checked) with
/// central differences of its result's dot product with fixed weights. A result without a graph counts as constant.
testing::AssertionResult gradcheck(const Function& fn, const std::vector<Tensor>& inputs,
                                   const GradcheckOptions& options = {});

/// The same for the gradients themselves: as functions of the inputs and of the gradient that comes in.
testing::AssertionResult gradgradcheck(const Function& fn, const std::vector<Tensor>& inputs,
                                       const GradcheckOptions& options = {});

/// Fixed numbers in [-1, -0.25] and [0.25, 1] that look random, float64.
Tensor fixed_weights(const Shape& sizes, std::uint64_t seed = 1);

}  // namespace gradus::test
