#include <gradus/autograd.h>
#include <gradus/metrics.h>
#include <gradus/ops.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace gradus::metrics {

namespace {

void check_same(const char* call, const Tensor& a, const Tensor& b) {
  if (a.sizes() == b.sizes()) return;
  throw ShapeError(std::string(call) + ": needs tensors of equal sizes, got " + to_string(a.sizes()) + " and " +
                   to_string(b.sizes()));
}

std::vector<std::int64_t> classes_of(const char* call, const Tensor& x) {
  if (!is_integral(x.dtype())) {
    throw DtypeError(std::string(call) + ": classes must be integers, got " + to_string(x.dtype()));
  }
  return x.to_vector<std::int64_t>();
}

double over(double part, double whole) { return whole > 0 ? part / whole : 0; }

// The sums of a confusion matrix's rows, columns and diagonal.
struct Sums {
  std::vector<double> target, predicted, right;
  explicit Sums(const Tensor& confusion) {
    if (confusion.dim() != 2 || confusion.size(0) != confusion.size(1)) {
      throw ShapeError("metrics: a confusion matrix is square, got " + to_string(confusion.sizes()));
    }
    const auto n = static_cast<std::size_t>(confusion.size(0));
    const auto counts = confusion.to_vector<double>();
    target.resize(n);
    predicted.resize(n);
    right.resize(n);
    for (std::size_t t = 0; t < n; ++t) {
      for (std::size_t p = 0; p < n; ++p) {
        target[t] += counts[t * n + p];
        predicted[p] += counts[t * n + p];
      }
      right[t] = counts[t * n + t];
    }
  }
};

// The quantile of the standard normal distribution, by bisection of its distribution function.
double normal_quantile(double p) {
  double low = -40, high = 40;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(-middle / std::sqrt(2.0)) < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

Tensor as_bits(const Tensor& x) { return x.dtype() == kBool ? x : x.detach() > 0.5; }

}  // namespace

Tensor confusion_matrix(const Tensor& predicted, const Tensor& target, std::int64_t classes) {
  check_same("confusion_matrix", predicted, target);
  if (classes < 1 || classes > 1 << 15) {
    throw ValueError("confusion_matrix: classes must be from 1 to 32768, got " + std::to_string(classes));
  }
  const auto p = classes_of("confusion_matrix", predicted), t = classes_of("confusion_matrix", target);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(classes * classes));
  for (std::size_t i = 0; i < p.size(); ++i) {
    for (const std::int64_t k : {p[i], t[i]}) {
      if (k >= 0 && k < classes) continue;
      throw ValueError("confusion_matrix: classes must be from 0 to " + std::to_string(classes - 1) + ", got " +
                       std::to_string(k));
    }
    ++counts[static_cast<std::size_t>(t[i] * classes + p[i])];
  }
  return tensor(counts, {classes, classes});
}

std::vector<double> precision(const Tensor& confusion) {
  const Sums s(confusion);
  std::vector<double> result;
  for (std::size_t k = 0; k < s.right.size(); ++k) result.push_back(over(s.right[k], s.predicted[k]));
  return result;
}

std::vector<double> recall(const Tensor& confusion) {
  const Sums s(confusion);
  std::vector<double> result;
  for (std::size_t k = 0; k < s.right.size(); ++k) result.push_back(over(s.right[k], s.target[k]));
  return result;
}

std::vector<double> f1(const Tensor& confusion) {
  const Sums s(confusion);
  std::vector<double> result;
  for (std::size_t k = 0; k < s.right.size(); ++k) result.push_back(over(2 * s.right[k], s.target[k] + s.predicted[k]));
  return result;
}

double f1_score(const Tensor& predicted, const Tensor& target, std::int64_t classes, Average average) {
  const Tensor confusion = confusion_matrix(predicted, target, classes);
  const Sums s(confusion);
  const auto each = f1(confusion);
  const double all = std::accumulate(s.target.begin(), s.target.end(), 0.0);
  if (average == Average::micro) return over(std::accumulate(s.right.begin(), s.right.end(), 0.0), all);
  double sum = 0;
  for (std::size_t k = 0; k < each.size(); ++k) sum += each[k] * (average == Average::macro ? 1 : s.target[k]);
  return over(sum, average == Average::macro ? static_cast<double>(classes) : all);
}

double accuracy(const Tensor& predicted, const Tensor& target) {
  check_same("accuracy", predicted, target);
  const auto p = classes_of("accuracy", predicted), t = classes_of("accuracy", target);
  std::int64_t right = 0;
  for (std::size_t i = 0; i < p.size(); ++i) right += p[i] == t[i];
  return over(static_cast<double>(right), static_cast<double>(p.size()));
}

double auroc(const Tensor& scores, const Tensor& target) {
  check_same("auroc", scores, target);
  const auto s = scores.detach().to_vector<double>(), t = target.to_vector<double>();
  std::vector<std::size_t> order(s.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (std::isnan(s[i])) throw ValueError("auroc: scores must not be NaN");
    if (t[i] != 0 && t[i] != 1) throw ValueError("auroc: targets must be 0 or 1, got " + to_string(t[i]));
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return s[a] < s[b]; });
  double in_order = 0, negatives = 0, positives = 0;
  for (std::size_t first = 0; first < order.size();) {
    std::size_t end = first;
    double ones = 0;
    for (; end < order.size() && s[order[end]] == s[order[first]]; ++end) ones += t[order[end]];
    const double zeros = static_cast<double>(end - first) - ones;
    in_order += ones * (negatives + zeros / 2);
    negatives += zeros;
    positives += ones;
    first = end;
  }
  if (positives == 0 || negatives == 0) throw ValueError("auroc: needs positives and negatives, got one kind");
  return in_order / (positives * negatives);
}

ErrorRate error_rate(std::int64_t errors, std::int64_t trials, double confidence) {
  if (errors < 0 || trials < errors) {
    throw ValueError("error_rate: errors must be from 0 to the trials, got " + std::to_string(errors) + " of " +
                     std::to_string(trials));
  }
  if (!(confidence > 0 && confidence < 1)) {
    throw ValueError("error_rate: confidence must be in (0, 1), got " + to_string(confidence));
  }
  if (trials == 0) return {};
  const double n = static_cast<double>(trials), p = static_cast<double>(errors) / n;
  const double z = normal_quantile(0.5 + confidence / 2), z2 = z * z / n;
  const double middle = (p + z2 / 2) / (1 + z2), half = z / (1 + z2) * std::sqrt(p * (1 - p) / n + z2 / (4 * n));
  return {errors, trials, p, errors == 0 ? 0 : std::max(0.0, middle - half),
          errors == trials ? 1 : std::min(1.0, middle + half)};
}

ErrorRate bit_error_rate(const Tensor& received, const Tensor& sent, double confidence) {
  check_same("bit_error_rate", received, sent);
  const NoGrad guard;
  const Tensor wrong = ne(as_bits(received), as_bits(sent));
  return error_rate(sum(wrong.to(kInt64)).item<std::int64_t>(), wrong.numel(), confidence);
}

ErrorRate block_error_rate(const Tensor& received, const Tensor& sent, double confidence) {
  check_same("block_error_rate", received, sent);
  if (received.dim() != 2) {
    throw ShapeError("block_error_rate: needs [blocks, bits], got " + to_string(received.sizes()));
  }
  const NoGrad guard;
  const Tensor wrong = any(ne(as_bits(received), as_bits(sent)), {1});
  return error_rate(sum(wrong.to(kInt64)).item<std::int64_t>(), wrong.numel(), confidence);
}

}  // namespace gradus::metrics
