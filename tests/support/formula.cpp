#include "support/formula.h"

#include <gradus/autograd.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace gradus::test {

namespace {

std::uint64_t seed_of(const std::string& name) {
  std::uint64_t seed = 0xCBF29CE484222325;
  for (const char c : name) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return seed;
}

// 64 bits for element i of the tensor with this seed.
std::uint64_t bits(std::uint64_t seed, std::size_t i) {
  std::uint64_t z = seed + (i + 1) * 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

}  // namespace

Tensor uniform(const std::string& name, const Shape& sizes) {
  const Tensor x = empty(sizes, {.dtype = kFloat64});
  auto* to = x.data_ptr<double>();
  const std::uint64_t seed = seed_of(name);
  for (std::size_t i = 0, n = static_cast<std::size_t>(x.numel()); i < n; ++i) {
    to[i] = static_cast<double>(bits(seed, i) >> 11) * 0x1p-52 - 1;
  }
  return x;
}

void fill(nn::Module& module) {
  const NoGrad guard;
  for (const auto& [name, tensor] : module.state_dict()) {
    if (!tensor.is_floating_point()) continue;
    Tensor x = tensor, u = uniform(name, x.sizes());
    if (x.dim() > 1) {
      u = u * std::sqrt(6 / static_cast<double>(x.numel() / x.size(0)));
    } else if (name.ends_with("running_var")) {
      u = 1 + 0.3 * u;
    } else if (name.ends_with("weight")) {
      u = 1 + 0.1 * u;
    } else {
      u = 0.1 * u;
    }
    x.copy_(u);
  }
}

std::vector<double> sketch(const Tensor& x) {
  const std::vector<double> values = x.detach().to_vector<double>();
  const std::size_t n = values.size();
  if (n <= 12) return values;
  double squares = 0;
  for (const double v : values) squares += v * v;
  std::vector<double> result{std::sqrt(squares), 0, 0, 0, 0};
  const std::uint64_t seed = seed_of("sketch");
  for (std::size_t k = 0; k < n; ++k) {
    const std::uint64_t z = bits(seed, k);
    for (std::size_t i = 0; i < 4; ++i) {
      result[1 + i] += values[k] * (static_cast<double>(z >> (16 * i) & 0xFFFF) * 0x1p-15 - 1);
    }
  }
  for (std::size_t i = 0; i < 4; ++i) result.push_back(values[i * (n / 4)]);
  return result;
}

void expect_sketch(const Tensor& x, const std::vector<double>& wanted, double tolerance, const std::string& what,
                   double floor) {
  const std::vector<double> got = sketch(x);
  ASSERT_EQ(got.size(), wanted.size()) << what;
  double scale = floor;
  for (const double v : wanted) scale = std::max(scale, std::abs(v));
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], wanted[i], tolerance * scale) << what << ", number " << i << " of its sketch";
  }
}

}  // namespace gradus::test
