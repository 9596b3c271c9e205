#pragma once

#include <gradus/nn/module.h>

namespace gradus::test {

/// float64 numbers in [-1, 1) from a name and each element's index: bit for bit those of tests/traces/formula.py.
Tensor uniform(const std::string& name, const Shape& sizes);

/// Sets all floating-point parameters and buffers of a network, by name: as formula.py's fill.
void fill(nn::Module& module);

/// What stands for a tensor's elements in a trace: as formula.py's sketch.
std::vector<double> sketch(const Tensor& x);

/// Fails unless x's sketch is `wanted`, up to `tolerance` times the norm. With a `floor`, a norm below it counts as it.
void expect_sketch(const Tensor& x, const std::vector<double>& wanted, double tolerance, const std::string& what,
                   double floor = 1e-12);

}  // namespace gradus::test
