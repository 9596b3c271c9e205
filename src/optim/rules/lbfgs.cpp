#include <gradus/optim/lbfgs.h>

#include "kernels/formulas/rules.h"
#include "optim/engine/engine.h"
#include "optim/engine/ordered_sum.h"
#include "optim/rules/wolfe.h"

namespace gradus::optim {

namespace {

// One tensor per parameter: together a vector over all parameters.
using Vector = std::vector<Tensor>;

template <class T>
struct DotBody {
  GRADUS_INLINE static void run(const T* a, const T* b, std::int64_t n, double* result) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < n; ++i) sum += double(a[i]) * double(b[i]);
    *result = sum;
  }
};
template <class T>
double dot_of(const Tensor& a, const Tensor& b) {
  const T *x = a.const_data_ptr<T>(), *y = b.const_data_ptr<T>();
  return ordered_sum(a.numel(), a.numel() >= 32768, [&](std::int64_t begin, std::int64_t end) {
    double sum;
    cpu::simd_call<DotBody<T>>(x + begin, y + begin, end - begin, &sum);
    return sum;
  });
}
double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].device() == kCPU) {
      visit<float, double>("LBFGS", a[i].dtype(), [&]<class T>(T) { sum += dot_of<T>(a[i], b[i]); });
    } else {
      const NoGrad guard;
      sum += (a[i].detach().to(kFloat64) * b[i].detach().to(kFloat64)).sum().item();
    }
  }
  return sum;
}
double largest(const Vector& a) {
  double size = 0;
  for (const Tensor& x : a)
    if (x.numel() > 0) size = std::max(size, norm(x, std::numeric_limits<double>::infinity()).item());
  return size;
}

template <class Rule>
void apply(const Rule& rule, Vector& a, const Vector& b) {
  for (std::size_t i = 0; i < a.size(); ++i) update_elements(rule, a[i], b[i]);
}
Vector scaled(double factor, const Vector& b) {
  Vector a;
  for (const Tensor& x : b) a.push_back(gradus::detail::make_empty(x.sizes(), x.dtype(), x.device()));
  apply(SetScaled{factor}, a, b);
  return a;
}
Vector copied(const Vector& b) { return scaled(1, b); }

enum At { kEvaluations, kIterations, kStepSize, kScale, kLoss, kCount, kFirst };

// The state of all parameters: each keeps its own part of the vectors, and all the same numbers.
struct History {
  std::vector<Entry>& entries;
  Numbers& numbers = entries[0].numbers;

  Vector vector(const char* name) {
    Vector v;
    for (Entry& entry : entries) v.push_back(part(entry, name, entry.param.sizes()));
    return v;
  }
  static std::int64_t capacity_of(const Entry& entry, const char* name) {
    const Tensor* rows = entry.find(name);
    return rows == nullptr ? 0 : rows->size(0);
  }
  std::int64_t capacity() const { return capacity_of(entries[0], "old_dirs"); }
  std::int64_t count() const { return static_cast<std::int64_t>(numbers[kCount]); }
  // The i-th pair, counted from the oldest.
  Vector row(const char* name, std::int64_t i) {
    const std::int64_t at = (static_cast<std::int64_t>(numbers[kFirst]) + i) % capacity();
    Vector v;
    for (Entry& entry : entries) v.push_back(entry.find(name)->select(0, at));
    return v;
  }
  void push(const Vector& direction, const Vector& step, std::int64_t most) {
    while (count() >= most) {
      numbers[kFirst] = static_cast<double>((static_cast<std::int64_t>(numbers[kFirst]) + 1) % capacity());
      numbers[kCount] -= 1;
    }
    if (count() == capacity()) grow(std::min(most, std::max<std::int64_t>(4, 2 * capacity())));
    numbers[kCount] += 1;
    Vector d = row("old_dirs", count() - 1), s = row("old_stps", count() - 1);
    apply(SetScaled{1}, d, direction);
    apply(SetScaled{1}, s, step);
  }
  ~History() {
    for (Entry& entry : entries) entry.numbers = numbers;
  }
  // State that was loaded in parts could be of different histories.
  static void check(const std::vector<Entry>& entries) {
    const Entry& one = entries[0];
    const auto rows = static_cast<double>(capacity_of(one, "old_dirs"));
    const double count = one.numbers[kCount], first = one.numbers[kFirst];
    bool fits = count >= 0 && count <= rows && first >= 0 && first <= std::max(0.0, rows - 1);
    for (const Entry& entry : entries) {
      for (const char* name : {"old_dirs", "old_stps"})
        fits = fits && static_cast<double>(capacity_of(entry, name)) == rows;
      for (At number : {kIterations, kCount, kFirst}) fits = fits && entry.numbers[number] == one.numbers[number];
    }
    if (!fits) throw ValueError("LBFGS: the parameters' states are of different steps; load all of them or none");
  }

 private:
  static Tensor& part(Entry& entry, const char* name, const Shape& sizes) {
    if (Tensor* own = entry.find(name)) return *own;
    entry.tensors.emplace_back(name, zeros(sizes, {.dtype = entry.param.dtype(), .device = entry.param.device()}));
    return entry.tensors.back().second;
  }
  void grow(std::int64_t rows) {
    for (const char* name : {"old_dirs", "old_stps"}) {
      for (Entry& entry : entries) {
        Shape sizes = entry.param.sizes();
        sizes.insert(0, rows);
        Tensor larger = zeros(sizes, {.dtype = entry.param.dtype(), .device = entry.param.device()});
        if (const Tensor* own = entry.find(name)) {
          for (std::int64_t i = 0; i < count(); ++i)
            larger.select(0, i).copy_(own->select(0, (static_cast<std::int64_t>(numbers[kFirst]) + i) % own->size(0)));
        }
        part(entry, name, sizes) = larger;
      }
    }
    numbers[kFirst] = 0;
  }
};

// The iterations of one step.
struct Iterations {
  using Closure = std::function<Tensor()>;

  Iterations(const LBFGSOptions& options, std::vector<Entry>& all, double first_loss, const Closure& recompute)
      : o(options), entries(all), closure(recompute), history{all}, loss(first_loss) {}

  void run() {
    n[kEvaluations] += 1;
    for (Entry& entry : entries) ++entry.step;
    g = gradient();
    d = history.vector("d");
    previous = history.vector("prev_flat_grad");
    bool goes_on = !flat();
    for (std::int64_t iteration = 1; goes_on && iteration <= *o.max_iter; ++iteration)
      goes_on = iterate(iteration == *o.max_iter);
  }

 private:
  // False where that was the end of the step.
  bool iterate(bool last) {
    const bool first = n[kIterations] == 0;
    n[kIterations] += 1;
    if (first) {
      apply(SetScaled{-1}, d, g);
    } else {
      remember();
      find_direction();
    }
    apply(SetScaled{1}, previous, g);
    n[kLoss] = loss;

    double sum = 0;
    if (first)
      for (const Tensor& x : g) sum += norm(x, 1).item();
    n[kStepSize] = first ? std::min(1.0, 1 / sum) * *o.lr : *o.lr;
    const double slope = dot(g, d);
    if (slope > -*o.tolerance_change) return false;

    std::int64_t more = 0;
    if (o.line_search_fn) {
      more = search(slope);
    } else {
      move(n[kStepSize]);
      if (!last) {  // in a stochastic setting that evaluation would be of no use
        loss = evaluate();
        g = gradient();
        more = 1;
      }
    }
    evaluations += more;
    n[kEvaluations] += static_cast<double>(more);
    const bool ends = flat() || evaluations >= most_evaluations ||
                      largest(d) * std::abs(n[kStepSize]) <= *o.tolerance_change ||
                      std::abs(loss - n[kLoss]) < *o.tolerance_change;
    return !ends;
  }

  // The newest pair: the last step and how the gradient changed over it.
  void remember() {
    Vector y = copied(g);
    apply(AddScaled{-1}, y, previous);
    const Vector s = scaled(n[kStepSize], d);
    if (const double ys = dot(y, s); ys > 1e-10) {
      history.push(y, s, *o.history_size);
      n[kScale] = ys / dot(y, y);
    }
  }

  // The two-loop recursion (Nocedal and Wright, 2006, algorithm 7.4), in d.
  void find_direction() {
    apply(SetScaled{-1}, d, g);
    std::vector<double> ro, al;
    for (std::int64_t i = 0; i < history.count(); ++i)
      ro.push_back(1 / dot(history.row("old_dirs", i), history.row("old_stps", i)));
    al.resize(ro.size());
    for (std::size_t i = ro.size(); i-- > 0;) {
      al[i] = dot(history.row("old_stps", static_cast<std::int64_t>(i)), d) * ro[i];
      apply(AddScaled{-al[i]}, d, history.row("old_dirs", static_cast<std::int64_t>(i)));
    }
    apply(SetScaled{n[kScale]}, d, d);
    for (std::size_t i = 0; i < ro.size(); ++i) {
      const double be = dot(history.row("old_dirs", static_cast<std::int64_t>(i)), d) * ro[i];
      apply(AddScaled{al[i] - be}, d, history.row("old_stps", static_cast<std::int64_t>(i)));
    }
  }

  // Moves to the best point along d. Returns how often the loss was evaluated.
  std::int64_t search(double slope) {
    Vector origin;
    for (const Entry& entry : entries) origin.push_back(entry.param.detach().clone());
    const auto back = [&] {
      for (std::size_t i = 0; i < entries.size(); ++i)
        if (!gradus::detail::is_frozen(*entries[i].param.impl())) entries[i].param.detach().copy_(origin[i]);
    };
    std::int64_t count = 0;
    const LineSearch search{most_evaluations - evaluations, largest(d), [&](double t) {
                              move(t);
                              struct Scope {
                                decltype(back)& restore;
                                ~Scope() { restore(); }
                              } scope{back};
                              ++count;
                              const double there = evaluate();
                              Vector gradient_there = gradient();
                              const double slope_there = dot(gradient_there, d);
                              return LinePoint{t, there, slope_there, std::move(gradient_there)};
                            }};
    LinePoint best = search.run({0, loss, slope, g}, n[kStepSize]);
    loss = best.loss;
    g = std::move(best.gradient);
    n[kStepSize] = best.t;
    move(best.t);
    return count;
  }

  bool flat() const { return largest(g) <= *o.tolerance_grad; }
  Vector gradient() const {
    Vector v;
    for (const Entry& entry : entries) {
      const Tensor grad = entry.param.grad();
      if (!grad.defined() || gradus::detail::is_frozen(*entry.param.impl())) {
        v.push_back(zeros(entry.param.sizes(), {.dtype = entry.param.dtype(), .device = entry.param.device()}));
      } else {
        check_gradient("LBFGS", entry, grad);
        v.push_back(grad.detach().clone().contiguous());
      }
    }
    return v;
  }
  void move(double t) {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const Tensor& p = entries[i].param;
      if (!p.grad().defined() || gradus::detail::is_frozen(*p.impl())) continue;
      Tensor raw = p.detach();
      update_elements(AddScaled{t}, raw, d[i]);
      gradus::detail::bump_version(p);
    }
  }
  double evaluate() const {
    EnableGrad guard;
    return closure().item();
  }

  const LBFGSOptions& o;
  std::vector<Entry>& entries;
  const Closure& closure;
  History history;
  Numbers& n = history.numbers;
  double loss;
  const std::int64_t most_evaluations = o.max_eval.value_or(*o.max_iter * 5 / 4);
  std::int64_t evaluations = 1;
  Vector g, d, previous;
};

}  // namespace

// All parameters at once, because a direction depends on sums over all of them; it is built in one vector.
template <>
struct RuleOf<LBFGSOptions> {
  using O = LBFGSOptions;
  static constexpr const char* name = "LBFGS";
  static constexpr auto options =
      std::tuple{Field{"lr", &O::lr, 1.0, at_least(0)},
                 Field{"max_iter", &O::max_iter, std::int64_t{20}, at_least(1)},
                 OptionalField{"max_eval", &O::max_eval, at_least(1)},
                 Field{"tolerance_grad", &O::tolerance_grad, 1e-7, at_least(0)},
                 Field{"tolerance_change", &O::tolerance_change, 1e-9, at_least(0)},
                 Field{"history_size", &O::history_size, std::int64_t{100}, at_least(1)},
                 OptionalField{"line_search_fn", &O::line_search_fn, one_of("strong_wolfe")}};
  static constexpr std::array numbers{Number{"func_evals", 0}, Number{"n_iter", 0},    Number{"t", 0},
                                      Number{"H_diag", 1},     Number{"prev_loss", 0}, Number{"count", 0},
                                      Number{"first", 0}};
  static std::vector<const char*> state(const O&) { return {"d", "prev_flat_grad", "old_dirs", "old_stps"}; }
  static bool fits(const Tensor& p, std::string_view state, const Shape& sizes) {
    if (state == "d" || state == "prev_flat_grad") return sizes == p.sizes();
    return !sizes.empty() && Shape(std::vector<std::int64_t>(sizes.begin() + 1, sizes.end())) == p.sizes();
  }

  static void update_all(const O& o, std::vector<Entry>& entries, double loss, const std::function<Tensor()>& closure) {
    History::check(entries);
    for (Entry& entry : entries) entry.convert_state();
    Iterations(o, entries, loss, closure).run();
  }
};

template class OptimizerOf<LBFGSOptions>;

}  // namespace gradus::optim
