#include <gradus/autograd/detect_anomaly.h>
#include <gradus/autograd/op.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "core/tensor_access.h"
#include "core/visit.h"

namespace gradus::autograd {

namespace {

// An exponent of ones means a nan or an infinity. On integers, as this vectorises.
template <class Bits>
bool all_finite(const std::byte* data, std::int64_t n, Bits exponent) {
  const auto* bits = reinterpret_cast<const Bits*>(data);
  Bits found = 0;
  for (std::int64_t i = 0; i < n; ++i) found |= static_cast<Bits>((bits[i] & exponent) == exponent);
  return found == 0;
}

double value_at(const Tensor& x, std::int64_t offset) {
  const std::byte* at = x.impl()->data + offset * x.element_size();
  double value = 0;
  visit<Float16, BFloat16, float, double>("detect_anomaly", x.dtype(), [&]<class T>(T) {
    const T& element = *reinterpret_cast<const T*>(at);
    if constexpr (sizeof(T) == 2) {
      value = static_cast<float>(element);
    } else {
      value = element;
    }
  });
  return value;
}

// Calls fn(value, number) for each element in row-major order, until it returns false.
template <class Fn>
void walk(const Tensor& x, const Fn& fn) {
  const int rank = x.sizes().rank();
  Shape index;
  index.resize(rank);
  for (int d = 0; d < rank; ++d) index[d] = 0;
  std::int64_t offset = 0;
  for (std::int64_t n = 0; n < x.numel(); ++n) {
    if (!fn(value_at(x, offset), n)) return;
    for (int d = rank - 1; d >= 0; --d) {
      offset += x.strides()[d];
      if (++index[d] < x.sizes()[d]) break;
      offset -= index[d] * x.strides()[d];
      index[d] = 0;
    }
  }
}

struct Scan {
  bool nan = false, infinite = false;
  double first = 0;           // the first value that is not finite: the first nan where there is one
  std::int64_t position = 0;  // its number in row-major order
  bool finite() const { return !nan && !infinite; }
};

Scan scan(const Tensor& x) {
  Scan found;
  if (!x.defined() || !is_floating_point(x.dtype()) || x.numel() == 0) return found;
  if (x.device() != kCPU) return scan(gradus::detail::moved(x, kCPU));
  const std::byte* data = x.impl()->data;
  if (x.is_contiguous()) {
    bool fine = false;
    visit<Float16, BFloat16, float, double>("detect_anomaly", x.dtype(), [&]<class T>(T) {
      if constexpr (std::is_same_v<T, double>) {
        fine = all_finite<std::uint64_t>(data, x.numel(), 0x7ff0000000000000U);
      } else if constexpr (std::is_same_v<T, float>) {
        fine = all_finite<std::uint32_t>(data, x.numel(), 0x7f800000U);
      } else {
        fine = all_finite<std::uint16_t>(data, x.numel(), std::is_same_v<T, BFloat16> ? 0x7f80 : 0x7c00);
      }
    });
    if (fine) return found;
  }
  walk(x, [&](double value, std::int64_t n) {
    if (std::isfinite(value)) return true;
    if (found.finite() || std::isnan(value)) {
      found.first = value;
      found.position = n;
    }
    (std::isnan(value) ? found.nan : found.infinite) = true;
    return !found.nan;
  });
  return found;
}

std::string where(const Tensor& x, std::int64_t number) {
  const Shape& sizes = x.sizes();
  Shape index = sizes;
  for (int d = sizes.rank() - 1; d >= 0; --d) {
    index[d] = number % sizes[d];
    number /= sizes[d];
  }
  return fmt::format("at {} of {}", to_string(index), to_string(sizes));
}

// Without the sign of a nan, which says nothing.
std::string text_of(double value) { return std::isnan(value) ? "nan" : fmt::format("{}", value); }

std::string named(const Tensor& x) { return x.name().empty() ? "" : " (" + x.name() + ")"; }

std::string range_of(const Tensor& x) {
  if (x.device() != kCPU) return range_of(gradus::detail::moved(x, kCPU));
  double low = std::numeric_limits<double>::infinity(), high = -low;
  walk(x, [&](double value, std::int64_t) {
    low = std::min(low, value);
    high = std::max(high, value);
    return true;
  });
  return x.numel() == 0 ? "empty" : fmt::format("from {:.4g} to {:.4g}", low, high);
}

// ", in encoder.0 (Linear), in the backward of linear".
std::string place() {
  std::string text;
  if (const detail::LayerRef layer = detail::current_layer()) text += ", in " + layer->to_string();
  if (const Node* node = detail::current_backward()) text += std::string(", in the backward of ") + node->name();
  return text;
}

}  // namespace

struct DetectAnomaly::Detector final : detail::Observer {
  explicit Detector(const DetectAnomalyOptions& o) : options(o) { detail::add_observer(*this); }
  ~Detector() override { detail::remove_observer(*this); }

  bool bad(const Scan& scan) const { return scan.nan || (options.infinities && scan.infinite); }

  void end_operation(const detail::Operation& operation) override {
    if (operation.result == nullptr || operation.bytes == 0) return;  // views show what was looked at
    const Scan result = scan(*operation.result);
    if (!bad(result)) return;
    std::string inputs;
    bool infinite_input = false;
    for (std::size_t i = 0; i < operation.inputs.size(); ++i) {
      const Tensor& x = *operation.inputs[i];
      // In place, the result has taken the input's place, and tells nothing of it.
      if (!x.defined() || !is_floating_point(x.dtype()) || x.is_same(*operation.result)) continue;
      const Scan input = scan(x);
      if (input.nan) {
        throw AutogradError(fmt::format(
            "DetectAnomaly: {}{}: its input {}{} already holds nan {}; no operation made it, so it came from outside",
            operation.name, place(), i, named(x), where(x, input.position)));
      }
      infinite_input = infinite_input || input.infinite;
      inputs += input.infinite ? fmt::format("; its input {}{} holds {} {}", i, named(x), text_of(input.first),
                                             where(x, input.position))
                               : fmt::format("; its input {}{} is finite, {}", i, named(x), range_of(x));
    }
    if (!result.nan && infinite_input) return;  // passed on
    throw AutogradError(fmt::format("DetectAnomaly: {} returned {} {}{}{}", operation.name, text_of(result.first),
                                    where(*operation.result, result.position), place(), inputs));
  }

  // What a backward gives without an operation, and a last look at the others.
  void end_backward(const Node& node, std::span<const Tensor> gradients) override {
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      const Scan gradient = scan(gradients[i]);
      if (!bad(gradient)) continue;
      const std::string layer = node.layer() ? ", in " + node.layer()->to_string() : "";
      throw AutogradError(fmt::format("DetectAnomaly: the backward of {} returned {} {} for its input {}{}",
                                      node.name(), text_of(gradient.first), where(gradients[i], gradient.position), i,
                                      layer));
    }
  }

  const DetectAnomalyOptions options;
};

DetectAnomaly::DetectAnomaly(const DetectAnomalyOptions& options) : detector_(std::make_unique<Detector>(options)) {}
DetectAnomaly::~DetectAnomaly() = default;

}  // namespace gradus::autograd
