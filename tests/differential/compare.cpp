#include <gradus/ops.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "differential/differential.h"

namespace gradus::differential {

namespace {

template <class T>
std::vector<T> values_of(const std::string& hex) {
  std::vector<T> values(hex.size() / 16);
  auto* bytes = reinterpret_cast<unsigned char*>(values.data());
  for (std::size_t i = 0; i < hex.size() / 2; ++i) {
    bytes[i] = static_cast<unsigned char>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  }
  return values;
}

// Errors add up with the number of terms, and are those of the type: relative to a value, or to the largest beside it.
double tolerance(Dtype dtype) { return dtype == kFloat64 ? 1e-9 : dtype == kFloat32 ? 1e-4 : 3e-2; }

}  // namespace

Tensor unpacked(const json& packed) {
  const Shape sizes = packed["sizes"].get<std::vector<std::int64_t>>();
  const std::string hex = packed["data"], name = packed["dtype"];
  Dtype dtype = kBool;
  for (const Dtype d : {kBool, kUInt8, kInt8, kInt16, kInt32, kInt64, kFloat16, kBFloat16, kFloat32, kFloat64})
    if (name == to_string(d)) dtype = d;
  if (is_floating_point(dtype)) return tensor(values_of<double>(hex), sizes, {.dtype = kFloat64}).to(dtype);
  return tensor(values_of<std::int64_t>(hex), sizes, {.dtype = kInt64}).to(dtype);
}

std::optional<std::string> difference(const std::string& what, const Tensor& got, const json& want, const json& exact) {
  // No gradient and one of zeros are one.
  const auto nothing = [](const Tensor& x) { return !any(x != 0).item<bool>(); };
  if (!got.defined() || want.is_null()) {
    if (got.defined() ? nothing(got) : want.is_null() || nothing(unpacked(want))) return {};
    return what + (got.defined() ? ": PyTorch has none" : ": there is none");
  }
  const Shape sizes = want["sizes"].get<std::vector<std::int64_t>>();
  if (got.sizes() != sizes) return what + ": sizes " + to_string(got.sizes()) + ", PyTorch " + to_string(sizes);
  if (want["dtype"] != to_string(got.dtype())) {
    return what + ": " + to_string(got.dtype()) + ", PyTorch " + want["dtype"].get<std::string>();
  }
  const std::string hex = want["data"];
  if (!got.is_floating_point()) {
    const auto a = got.to_vector<std::int64_t>(), b = values_of<std::int64_t>(hex);
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i] != b[i]) {
        return what + "[" + std::to_string(i) + "]: " + std::to_string(a[i]) + ", PyTorch " + std::to_string(b[i]);
      }
    }
    return {};
  }
  const auto a = got.detach().to_vector<double>(), b = values_of<double>(hex);
  double largest = 0;
  for (const double v : b)
    if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
  // One huge value beside others would hide them, and where all should be zero there is rounding.
  const double beside = std::clamp(largest, 1e-2, 1e3), bound = tolerance(got.dtype());
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (a[i] == b[i] || std::abs(a[i] - b[i]) <= bound * std::max(std::abs(b[i]), beside)) continue;
    char text[160];
    std::snprintf(text, sizeof text, "[%zu of %zu]: %.9g, PyTorch %.9g", i, a.size(), a[i], b[i]);
    if (!exact.is_object() || exact["sizes"] != want["sizes"]) return what + text;
    const double right = values_of<double>(exact["data"])[i], ours = std::abs(a[i] - right),
                 theirs = std::abs(b[i] - right);
    const bool nearer = ours <= theirs || (!std::isfinite(theirs) && std::isfinite(ours));
    return what + text + (nearer ? kNearer : ", in float64 " + std::to_string(right));
  }
  return {};
}

}  // namespace gradus::differential
