// Tensors as text, as PyTorch prints them with its default options.
#include <gradus/autograd/op.h>
#include <gradus/tensor.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <ostream>

#include "core/tensor_access.h"
#include "core/visit.h"

namespace gradus {

namespace {

constexpr int kPrecision = 4;
constexpr std::int64_t kThreshold = 1000;  // tensors of more elements are summarised
constexpr std::int64_t kEdge = 3;          // by so many elements at each end of a dimension
constexpr int kLineWidth = 80;

// As Python's format: a NaN has no sign. The locale has no say.
std::string formatted(double value, std::chars_format format, int precision) {
  if (std::isnan(value)) return "nan";
  std::array<char, 400> text;  // the longest double without an exponent has 309 digits
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, format, precision).ptr;
  return std::string(text.data(), end);
}

std::string scientific(double value) { return formatted(value, std::chars_format::scientific, kPrecision); }
std::string fixed(double value) { return formatted(value, std::chars_format::fixed, kPrecision); }
std::string whole(double value) { return formatted(value, std::chars_format::fixed, 0); }

struct Value {
  double floating = 0;
  std::int64_t integer = 0;
};

// How the numbers of one tensor look: all alike, as wide as the widest.
class Format {
 public:
  Format(Dtype dtype, const std::vector<Value>& values) : dtype_(dtype) {
    if (is_floating_point(dtype)) {
      choose(values);
    } else {
      for (const Value& v : values) widen(integer(v));
    }
  }

  std::size_t width() const { return width_; }

  std::string operator()(const Value& v) const {
    std::string text;
    if (!is_floating_point(dtype_)) {
      text = integer(v);
    } else if (scientific_) {
      text = scientific(v.floating);
    } else if (whole_) {
      text = whole(v.floating);
      if (std::isfinite(v.floating)) text += '.';
    } else {
      text = fixed(v.floating);
    }
    return std::string(width_ - std::min(width_, text.size()), ' ') + text;
  }

 private:
  std::string integer(const Value& v) const {
    if (dtype_ == kBool) return v.integer != 0 ? "True" : "False";
    return std::to_string(v.integer);
  }

  void widen(const std::string& text) { width_ = std::max(width_, text.size()); }

  // As PyTorch, which looks at the finite numbers other than zero.
  void choose(const std::vector<Value>& values) {
    double least = INFINITY, most = 0;
    const auto counts = [](double x) { return std::isfinite(x) && x != 0; };
    for (const Value& v : values) {
      if (!counts(v.floating)) continue;
      least = std::min(least, std::fabs(v.floating));
      most = std::max(most, std::fabs(v.floating));
      whole_ = whole_ && v.floating == std::ceil(v.floating);
    }
    if (most == 0) return;
    scientific_ = most / least > 1000.0 || most > 1.0e8 || least < 1.0e-4;
    for (const Value& v : values) {
      if (!counts(v.floating)) continue;
      if (scientific_) {
        widen(scientific(v.floating));
      } else if (whole_) {
        widen(whole(v.floating) + ".");
      } else {
        widen(fixed(v.floating));
      }
    }
  }

  Dtype dtype_;
  bool whole_ = true, scientific_ = false;
  std::size_t width_ = 1;
};

template <class T>
T read(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

class Printer {
 public:
  explicit Printer(Tensor x) : x_(std::move(x)), summarise_(x_.numel() > kThreshold) {}

  std::string text(int indent) const {
    if (x_.numel() == 0) return "[]";
    std::vector<Value> shown;
    collect(0, 0, shown);
    return block(Format(x_.dtype(), shown), 0, 0, indent);
  }

 private:
  Value at(std::int64_t offset) const {
    const std::byte* p = x_.impl()->data + offset * x_.element_size();
    Value value{};
    visit_all(x_.dtype(), [&]<class T>(T) {
      if constexpr (std::is_same_v<T, bool>) {
        value.integer = read<std::uint8_t>(p);
      } else if constexpr (std::is_integral_v<T>) {
        value.integer = read<T>(p);
      } else if constexpr (std::is_floating_point_v<T>) {
        value.floating = read<T>(p);
      } else {
        value.floating = static_cast<float>(read<T>(p));
      }
    });
    return value;
  }

  bool cut(int dim) const { return summarise_ && x_.sizes()[dim] > 2 * kEdge; }

  // Calls show(position) for each position of a dimension that is printed, and gap() where some are left out.
  template <class Show, class Gap>
  void positions(int dim, Show&& show, Gap&& gap) const {
    const std::int64_t size = x_.sizes()[dim];
    for (std::int64_t i = 0; i < size; ++i) {
      if (i == kEdge && cut(dim)) {
        gap();
        i = size - kEdge;
      }
      show(i);
    }
  }

  void collect(int dim, std::int64_t offset, std::vector<Value>& shown) const {
    if (dim == x_.dim()) return shown.push_back(at(offset));
    positions(
        dim, [&](std::int64_t i) { collect(dim + 1, offset + i * x_.strides()[dim], shown); }, [] {});
  }

  std::string block(const Format& format, int dim, std::int64_t offset, int indent) const {
    if (dim == x_.dim()) return format(at(offset));
    const bool last = dim + 1 == x_.dim();
    std::vector<std::string> parts;
    positions(
        dim,
        [&](std::int64_t i) { parts.push_back(block(format, dim + 1, offset + i * x_.strides()[dim], indent + 1)); },
        [&] { parts.emplace_back(last ? " ..." : "..."); });
    const std::string margin(static_cast<std::size_t>(indent) + 1, ' ');
    const auto room = static_cast<std::size_t>(std::max(0, kLineWidth - indent));
    const std::size_t per_line = last ? std::max<std::size_t>(1, room / (format.width() + 2)) : 1;
    std::string line_break(1, ',');
    line_break.append(last ? 1 : static_cast<std::size_t>(x_.dim() - dim - 1), '\n');
    std::string out(1, '[');
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (i > 0) out += i % per_line == 0 ? line_break + margin : ", ";
      out += parts[i];
    }
    return out + "]";
  }

  const Tensor x_;
  bool summarise_;
};

// "(2, 0)", "(3,)"
std::string tuple(const Shape& sizes) {
  std::string s = to_string(sizes);
  s.front() = '(';
  s.pop_back();
  s.append(sizes.rank() == 1 ? ",)" : ")");
  return s;
}

std::vector<std::string> suffixes(const Tensor& x) {
  std::vector<std::string> all;
  if (x.device() != kCPU) all.push_back("device='" + to_string(x.device()) + "'");
  const bool nothing = x.numel() == 0;
  if (nothing && x.dim() != 1) all.push_back("size=" + tuple(x.sizes()));
  const bool usual = x.dtype() == kFloat32 || (!nothing && (x.dtype() == kInt64 || x.dtype() == kBool));
  if (!usual) all.push_back(std::string("dtype=torch.") + to_string(x.dtype()));
  if (const Ref<Node> node = x.grad_fn()) {
    all.push_back(std::string("grad_fn=<") + node->name() + ">");
  } else if (x.requires_grad()) {
    all.push_back("requires_grad=True");
  }
  return all;
}

}  // namespace

std::string Tensor::to_string() const {
  if (!defined()) return "tensor(undefined)";
  const std::string prefix = "tensor(";
  const int indent = static_cast<int>(prefix.size());
  std::string text = prefix + Printer(device() == kCPU ? *this : detail::moved(*this, kCPU)).text(indent);
  // PyTorch takes the last line for 2 longer than it is. (There may be no line break: npos + 1 is 0.)
  std::size_t width = text.size() - (text.rfind('\n') + 1) + 2;
  for (const std::string& suffix : suffixes(*this)) {
    if (width + suffix.size() + 2 > kLineWidth) {
      text += ",\n" + std::string(prefix.size(), ' ') + suffix;
      width = prefix.size() + suffix.size();
    } else {
      text += ", " + suffix;
      width += suffix.size() + 2;
    }
  }
  return text + ")";
}

std::ostream& operator<<(std::ostream& out, const Tensor& x) { return out << x.to_string(); }
std::ostream& operator<<(std::ostream& out, Dtype dtype) { return out << to_string(dtype); }
std::ostream& operator<<(std::ostream& out, Device device) { return out << to_string(device); }

}  // namespace gradus
