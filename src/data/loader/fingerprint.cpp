#include "data/loader/fingerprint.h"

#include <fmt/format.h>
#include <gradus/core/error.h>
#include <gradus/data/random.h>
#include <gradus/ops.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace gradus::data {

namespace {

constexpr std::int64_t kSamples = 32;
constexpr double kTolerance = 1e-5;

double mean_of(const Tensor& x) { return x.defined() && x.numel() > 0 ? x.detach().to(kFloat64).mean().item() : 0; }

bool alike(double a, double b) {
  if (std::isnan(a) || std::isnan(b) || a == b) return true;
  return std::isfinite(a) && std::abs(a - b) <= kTolerance * (1 + std::abs(a));
}

}  // namespace

io::Value fingerprint(const Dataset& dataset) {
  const std::int64_t size = dataset.size(), count = std::min(size, kSamples);
  io::Value samples = io::Value::list();
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t index = i * size / count;
    const SampleScope scope(0, 0, index);
    double data = std::numeric_limits<double>::quiet_NaN(), target = data;
    try {
      const Sample sample = dataset.get(index);
      data = mean_of(sample.data);
      target = mean_of(sample.target);
    } catch (const std::exception&) {  // who trains on it will say so
    }
    samples.push_back(io::Value::tuple({index, data, target}));
  }
  return io::Value::dict({{"size", size}, {"samples", samples}});
}

void check_fingerprint(const io::Value& saved, const io::Value& now) {
  const std::int64_t before = saved.as_int({"size"}), size = now.as_int({"size"});
  if (before != size) {
    throw ValueError(fmt::format("the run was started with other data: {} samples then, {} now", before, size));
  }
  for (std::size_t i = 0; i < std::min(saved.size({"samples"}), now.size({"samples"})); ++i) {
    for (const std::size_t part : {1, 2}) {
      const double a = saved.as_double({"samples", i, part}), b = now.as_double({"samples", i, part});
      if (alike(a, b)) continue;
      throw ValueError(
          fmt::format("the run was started with other data: the mean {} of sample {} was {:.6g} then, is {:.6g} now",
                      part == 1 ? "input" : "target", now.as_int({"samples", i, 0}), a, b));
    }
  }
}

}  // namespace gradus::data
