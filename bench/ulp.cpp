// How far the vectorised functions are from the exact result, in units in the last place (ulp) of float32.
//   gradus_ulp           every 1,009th float32 in each function: what the tests run
//   gradus_ulp --all     all 2^32 of them, which takes some 20 minutes on one core
//   GRADUS_ISA=v3 gradus_ulp
// Exits 1 where an error is above the bound that docs/design.md publishes. The exact result is that of the C library in
// double, rounded nowhere.
#include <gradus/core/parallel.h>
#include <gradus/ops.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace {

using namespace gradus;

struct Function {
  const char* name;
  Tensor (*vectorised)(const Tensor&);
  double (*exact)(double);
  double bound;
};

double exact_rsqrt(double x) { return 1 / std::sqrt(x); }
double exact_reciprocal(double x) { return 1 / x; }
double exact_sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

const Function functions[] = {
    {"exp", exp, std::exp, 4},
    {"expm1", expm1, std::expm1, 4},
    {"log", log, std::log, 4},
    {"log1p", log1p, std::log1p, 4},
    {"sin", sin, std::sin, 4},
    {"cos", cos, std::cos, 4},
    {"tan", tan, std::tan, 4},
    {"atan", atan, std::atan, 4},
    {"tanh", tanh, std::tanh, 4},
    {"erf", erf, std::erf, 4},
    {"sigmoid", sigmoid, exact_sigmoid, 4},
    {"sqrt", sqrt, std::sqrt, 0.5},
    {"rsqrt", rsqrt, exact_rsqrt, 1.5},
    {"reciprocal", reciprocal, exact_reciprocal, 0.5},
};

// The distance between float32 numbers near x.
double unit_of(double x) { return std::ldexp(1.0, std::max(std::ilogb(x), -126) - 23); }

// In ulp; infinite where one is a NaN or infinite and the other is not.
double error_of(float got, double exact) {
  const auto rounded = static_cast<float>(exact);
  if (std::isnan(exact) || std::isnan(got)) return std::isnan(exact) == std::isnan(got) ? 0 : INFINITY;
  if (std::isinf(got) && !std::isinf(rounded)) {
    // One step beyond the largest number, if that is near.
    return std::abs(exact) > 0x1.fffffcp127 ? 1 : INFINITY;
  }
  if (std::isinf(rounded)) return got == rounded ? 0 : error_of(got, std::copysign(0x1p128, exact));
  // Below the smallest normal number a result may as well be zero: that is what flushed denormals give.
  if (std::abs(exact) < 0x1p-126 && std::abs(got - exact) < 0x1p-126) return 0;
  return std::abs(got - exact) / unit_of(exact);
}

struct Worst {
  double error = 0;
  float at = 0;
};

Worst measure(const Function& function, std::uint64_t stride) {
  constexpr std::int64_t kBlock = 1 << 16;
  Worst worst;
  const Tensor x = empty({kBlock});
  for (std::uint64_t first = 0; first < (1ULL << 32); first += stride * kBlock) {
    auto* in = x.data_ptr<float>();
    for (std::int64_t i = 0; i < kBlock; ++i)
      in[i] = std::bit_cast<float>(static_cast<std::uint32_t>(first + static_cast<std::uint64_t>(i) * stride));
    const Tensor y = function.vectorised(x);
    const auto* out = y.data_ptr<float>();
    for (std::int64_t i = 0; i < kBlock; ++i) {
      const double error = error_of(out[i], function.exact(in[i]));
      if (error > worst.error) worst = {error, in[i]};
    }
  }
  return worst;
}

}  // namespace

int main(int argc, char** argv) {
  const bool all = argc > 1 && std::string(argv[1]) == "--all";
  const std::string only = argc > 2 ? argv[2] : "";
  set_num_threads(1);
  bool kept = true;
  for (const Function& function : functions) {
    if (!only.empty() && only != function.name) continue;
    const Worst worst = measure(function, all ? 1 : 1009);
    const bool within = worst.error <= function.bound;
    kept = kept && within;
    std::printf("%-11s %6.3f ulp at %-15.9g (bound %g)%s\n", function.name, worst.error, static_cast<double>(worst.at),
                function.bound, within ? "" : "  ABOVE THE BOUND");
    std::fflush(stdout);
  }
  return kept ? 0 : 1;
}
