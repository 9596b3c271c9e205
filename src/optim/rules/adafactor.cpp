#include <gradus/optim/adafactor.h>

#include <limits>

#include "kernels/math.h"
#include "optim/engine/engine.h"
#include "optim/engine/ordered_sum.h"

namespace gradus::optim {

namespace {

// A parameter as rows: those of its matrices, or pieces of a vector.
struct Rows {
  std::int64_t count, length, per_matrix, numel;
  explicit Rows(const Tensor& p) : numel(p.numel()) {
    const bool matrix = p.dim() > 1;
    length = matrix ? p.size(-1) : std::min<std::int64_t>(numel, 4096);
    per_matrix = matrix ? p.size(-2) : 1;
    count = (numel + length - 1) / length;
  }
  std::int64_t length_of(std::int64_t row) const { return std::min(length, numel - row * length); }
};

constexpr std::int64_t kSmall = 32768;  // elements that one thread does sooner than two

// The sum of fn(row) over all rows.
template <class Fn>
double sum_over(const Rows& rows, Fn&& fn) {
  return ordered_sum(rows.count, rows.numel >= kSmall, [&](std::int64_t begin, std::int64_t end) {
    double sum = 0;
    for (std::int64_t row = begin; row < end; ++row) sum += fn(row);
    return sum;
  });
}

template <class T>
struct SumSquares {
  GRADUS_INLINE static void run(const T* x, std::int64_t n, double* result) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < n; ++i) sum += double(x[i]) * double(x[i]);
    *result = sum;
  }
};
template <class T>
double sum_squares(const T* x, std::int64_t n) {
  double sum;
  cpu::simd_call<SumSquares<T>>(x, n, &sum);
  return sum;
}

template <class T>
struct AddSquares {
  GRADUS_INLINE static void run(const T* x, std::int64_t n, double* sums) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) sums[i] += double(x[i]) * double(x[i]);
  }
};

// u = g / max(sqrt(row column scale), eps): the part of a row, or a vector's with row and scale 1.
template <class T>
struct UpdateSquares {
  GRADUS_INLINE static void run(const T* g, const T* column, std::int64_t n, T row, T scale, T least, double* result) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < n; ++i) {
      const T square = row * column[i] * scale, u = g[i] / std::sqrt(square > least ? square : least);
      sum += double(u) * double(u);
    }
    *result = sum;
  }
};
template <class T>
struct ApplyUpdate {
  GRADUS_INLINE static void run(T* p, const T* g, const T* column, std::int64_t n, T row, T scale, T least, T shrink,
                                T step) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) {
      const T square = row * column[i] * scale, u = g[i] / std::sqrt(square > least ? square : least);
      p[i] = p[i] * shrink - step * u;
    }
  }
};

template <class T>
GRADUS_INLINE void mix(T& mean, double value, double part) {
  mean += static_cast<T>(part) * (static_cast<T>(value) - mean);
}

// Mean squares of the columns, in strips that stay in the first cache.
template <class T>
void mix_columns(const Rows& rows, const T* g, T* column, double part) {
  constexpr std::int64_t kWidth = 512;
  const std::int64_t matrices = rows.count / rows.per_matrix, strips = (rows.length + kWidth - 1) / kWidth;
  const std::int64_t grain = std::max<std::int64_t>(1, kSmall * matrices * strips / rows.numel);
  core::parallel_for(matrices * strips, grain, [&](std::int64_t begin, std::int64_t end) {
    std::array<double, kWidth> sums;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t matrix = i / strips, first = i % strips * kWidth, n = std::min(kWidth, rows.length - first);
      std::fill_n(sums.begin(), n, 0.0);
      const T* at = g + matrix * rows.per_matrix * rows.length + first;
      for (std::int64_t row = 0; row < rows.per_matrix; ++row)
        cpu::simd_call<AddSquares<T>>(at + row * rows.length, n, sums.data());
      T* out = column + matrix * rows.length + first;
      for (std::int64_t j = 0; j < n; ++j)
        mix(out[j], sums[static_cast<std::size_t>(j)] / static_cast<double>(rows.per_matrix), part);
    }
  });
}

// Matrices with rows of a few elements, as those of a convolution: a call for each row would cost more than the row.
constexpr std::int64_t kNarrow = 16;

template <class T>
struct NarrowMatrices {
  std::int64_t rows, length;
  const T* g;
  T *row_var, *column;
  double eps1;
  T least;

  // Calls fn(place, u) for the elements of matrices [begin, end).
  template <class Fn>
  GRADUS_INLINE void each_update(std::int64_t begin, std::int64_t end, Fn&& fn) const {
    const double share = 1 / static_cast<double>(rows);
    for (std::int64_t m = begin; m < end; ++m) {
      const T *row = row_var + m * rows, *columns = column + m * length;
      double sum = 0;
      for (std::int64_t r = 0; r < rows; ++r) sum += double(row[r]);
      const double mean = sum * share;
      const T scale = static_cast<T>(1 / (mean > eps1 ? mean : eps1));
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t i = 0; i < length; ++i) {
          const std::int64_t at = (m * rows + r) * length + i;
          const T square = row[r] * columns[i] * scale;
          fn(at, g[at] / std::sqrt(square > least ? square : least));
        }
      }
    }
  }
};

template <class T>
struct NarrowMeans {
  GRADUS_INLINE static void run(NarrowMatrices<T> x, const T* p, std::int64_t begin, std::int64_t end, double part,
                                double* result) {
    const double share_of_row = 1 / static_cast<double>(x.length), share_of_column = 1 / static_cast<double>(x.rows);
    double squares = 0;
    for (std::int64_t m = begin; m < end; ++m) {
      double sums[kNarrow] = {};
      for (std::int64_t r = 0; r < x.rows; ++r) {
        double sum = 0;
        for (std::int64_t i = 0; i < x.length; ++i) {
          const std::int64_t at = (m * x.rows + r) * x.length + i;
          const double square = double(x.g[at]) * double(x.g[at]);
          sum += square;
          sums[i] += square;
          squares += double(p[at]) * double(p[at]);
        }
        mix(x.row_var[m * x.rows + r], sum * share_of_row, part);
      }
      for (std::int64_t i = 0; i < x.length; ++i) mix(x.column[m * x.length + i], sums[i] * share_of_column, part);
    }
    *result = squares;
  }
};
template <class T>
struct NarrowUpdateSquares {
  GRADUS_INLINE static void run(NarrowMatrices<T> x, std::int64_t begin, std::int64_t end, double* result) {
    double sum = 0;
    x.each_update(begin, end, [&](std::int64_t, T u) GRADUS_LAMBDA { sum += double(u) * double(u); });
    *result = sum;
  }
};
template <class T>
struct NarrowApply {
  GRADUS_INLINE static void run(NarrowMatrices<T> x, T* p, std::int64_t begin, std::int64_t end, T shrink, T step) {
    x.each_update(begin, end, [&](std::int64_t at, T u) GRADUS_LAMBDA { p[at] = p[at] * shrink - step * u; });
  }
};

template <class T>
void adafactor(const AdafactorOptions& o, const Moment& now, Tensor& param, const Tensor& grad,
               std::span<Tensor> state) {
  const Rows rows(param);
  const bool matrix = param.dim() > 1;
  const auto data = [](const Tensor& x) {
    return static_cast<T*>(optim::detail::elements(x, DtypeOf<T>::value, x.numel()));
  };
  T* p = data(param);
  const T* g = data(grad);
  T* row_var = matrix ? data(state[0]) : nullptr;
  T* column = data(state[matrix ? 1 : 0]);
  const double t = static_cast<double>(now.step), n = static_cast<double>(rows.numel);
  const double part = math::pow(t, *o.beta2_decay);

  const double eps1 = o.eps->first.value_or(std::numeric_limits<T>::epsilon());
  const T least = static_cast<T>(eps1 * eps1);
  const bool narrow = matrix && rows.length <= kNarrow;
  const NarrowMatrices<T> matrices{rows.per_matrix, rows.length, g, row_var, column, eps1, least};
  const auto sum_over_matrices = [&](auto&& fn) {
    return ordered_sum(rows.count / rows.per_matrix, rows.numel >= kSmall, [&](std::int64_t begin, std::int64_t end) {
      double sum = 0;
      fn(begin, end, &sum);
      return sum;
    });
  };

  const double parameter_squares =
      narrow ? sum_over_matrices([&](std::int64_t begin, std::int64_t end, double* sum) {
        cpu::simd_call<NarrowMeans<T>>(matrices, static_cast<const T*>(p), begin, end, part, sum);
      })
             : sum_over(rows, [&](std::int64_t row) {
                 const std::int64_t at = row * rows.length, length = rows.length_of(row);
                 if (matrix) {
                   mix(row_var[row], sum_squares(g + at, length) / static_cast<double>(length), part);
                 } else {
                   for (std::int64_t i = at; i < at + length; ++i) mix(column[i], double(g[i]) * double(g[i]), part);
                 }
                 return sum_squares(p + at, length);
               });
  if (matrix && !narrow) mix_columns(rows, g, column, part);

  // One over the mean of a matrix's row_var.
  const bool wide = matrix && !narrow;
  std::vector<T> scales(static_cast<std::size_t>(wide ? rows.count / rows.per_matrix : 1), T(1));
  for (std::size_t i = 0; wide && i < scales.size(); ++i) {
    const T* first = row_var + static_cast<std::int64_t>(i) * rows.per_matrix;
    const double mean = std::accumulate(first, first + rows.per_matrix, 0.0) / static_cast<double>(rows.per_matrix);
    scales[i] = static_cast<T>(1 / std::max(mean, eps1));
  }
  const auto with_row = [&](std::int64_t row, auto&& fn) {
    const std::int64_t at = row * rows.length, owner = row / rows.per_matrix;
    fn(at, column + (matrix ? owner * rows.length : at), matrix ? row_var[row] : T(1),
       scales[matrix ? static_cast<std::size_t>(owner) : 0]);
  };
  const double update_squares =
      narrow ? sum_over_matrices([&](std::int64_t begin, std::int64_t end, double* sum) {
        cpu::simd_call<NarrowUpdateSquares<T>>(matrices, begin, end, sum);
      })
             : sum_over(rows, [&](std::int64_t row) {
                 double sum;
                 with_row(row, [&](std::int64_t at, const T* c, T r, T scale) {
                   cpu::simd_call<UpdateSquares<T>>(g + at, c, rows.length_of(row), r, scale, least, &sum);
                 });
                 return sum;
               });
  const double size = std::max(o.eps->second, std::sqrt(parameter_squares / n)) * std::min(*o.lr, 1 / std::sqrt(t));
  const double cut = std::max(1.0, std::sqrt(update_squares / n) / *o.d);
  const T step = static_cast<T>((*o.maximize ? -size : size) / cut),
          shrink = static_cast<T>(1 - *o.lr * *o.weight_decay);
  if (narrow) {
    sum_over_matrices([&](std::int64_t begin, std::int64_t end, double*) {
      cpu::simd_call<NarrowApply<T>>(matrices, p, begin, end, shrink, step);
    });
    return;
  }
  sum_over(rows, [&](std::int64_t row) {
    with_row(row, [&](std::int64_t at, const T* c, T r, T scale) {
      cpu::simd_call<ApplyUpdate<T>>(p + at, g + at, c, rows.length_of(row), r, scale, least, shrink, step);
    });
    return 0.0;
  });
}

// The same by operations, for devices whose memory the loops above cannot reach.
void adafactor_by_operations(const AdafactorOptions& o, const Moment& now, Tensor& p, const Tensor& g,
                             std::span<Tensor> state) {
  const double t = static_cast<double>(now.step), part = math::pow(t, *o.beta2_decay);
  double epsilon = 0;
  visit<float, double>("Adafactor", p.dtype(), [&]<class T>(T) { epsilon = std::numeric_limits<T>::epsilon(); });
  const double eps1 = o.eps->first.value_or(epsilon);
  const auto squares = [](const Tensor& x) { return square(x.to(kFloat64)); };
  const auto mix = [&](Tensor& mean, const Tensor& value) { mean.add_((value.to(mean.dtype()) - mean) * part); };
  Tensor variance = state[0];
  if (p.dim() > 1) {
    mix(state[0], mean(squares(g), -1, true));
    mix(state[1], mean(squares(g), -2, true));
    variance = state[0] * state[1] / clamp(mean(state[0], -2, true), eps1);
  } else {
    mix(state[0], squares(g));
  }
  const Tensor update = g / sqrt(clamp(variance, eps1 * eps1));
  const Tensor size = clamp(sqrt(mean(squares(p))), o.eps->second) * std::min(*o.lr, 1 / std::sqrt(t));
  const Tensor cut = clamp(sqrt(mean(squares(update))) / *o.d, 1.0);
  const Tensor step = ((*o.maximize ? -size : size) / cut).to(p.dtype());
  p.mul_(1 - *o.lr * *o.weight_decay).sub_(update * step);
}

}  // namespace

// Whole, because the size of a step depends on sums over the parameter and over the update. Nothing is kept in between:
// the update is computed twice.
template <>
struct RuleOf<AdafactorOptions> {
  using O = AdafactorOptions;
  static constexpr const char* name = "Adafactor";
  static constexpr auto options =
      std::tuple{Field{"lr", &O::lr, 1e-2, at_least(0)},
                 Field{"beta2_decay", &O::beta2_decay, -0.8, at_most(0)},
                 Field{"eps", &O::eps, MaybeAndNumber(std::nullopt, 1e-3), at_least(0), at_least(0)},
                 Field{"d", &O::d, 1.0, at_least(1)},
                 Field{"weight_decay", &O::weight_decay, 0.0, at_least(0)},
                 Field{"maximize", &O::maximize, false}};
  static std::vector<const char*> state(const O&, const Tensor& p) {
    if (p.dim() > 1) return {"row_var", "col_var"};
    return {"variance"};
  }
  static Shape sizes(const Tensor& p, std::string_view state) {
    Shape sizes = p.sizes();
    if (state == "row_var") sizes[sizes.size() - 1] = 1;
    if (state == "col_var") sizes[sizes.size() - 2] = 1;
    return sizes;
  }
  static void update_whole(const O& o, const Moment& now, Tensor& p, const Tensor& g, std::span<Tensor> state) {
    if (p.numel() == 0) return;
    if (p.device() != kCPU) {
      const NoGrad guard;
      return adafactor_by_operations(o, now, p, g, state);
    }
    visit<float, double>(name, p.dtype(), [&]<class T>(T) { adafactor<T>(o, now, p, g, state); });
    gradus::detail::bump_version(p);
  }
};

template class OptimizerOf<AdafactorOptions>;

}  // namespace gradus::optim
