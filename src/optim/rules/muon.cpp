#include <gradus/optim/muon.h>

#include "kernels/dispatch/kernels.h"
#include "kernels/formulas/rules.h"
#include "optim/engine/engine.h"
#include "optim/rules/adam_update.h"

namespace gradus::optim {

namespace {

// x, in place, becomes a x + (b S + c S S) x, steps times, with S = x x^T; with S on the right, as x^T x, where that is
// the smaller one.
void orthogonalize(Tensor& matrix, const std::array<double, 3>& coefficients, std::int64_t steps) {
  const std::int64_t m = matrix.size(0), n = matrix.size(1), k = std::min(m, n);
  const bool tall = m > n;
  const auto fresh = [&](const Shape& sizes) {
    return gradus::detail::make_empty(sizes, matrix.dtype(), matrix.device());
  };
  Tensor spare = fresh(matrix.sizes()), gram = fresh({k, k}), poly = fresh({k, k});
  const auto [a, b, c] = coefficients;
  // C [rows, columns] = alpha op(A) op(B) + beta C
  const auto multiply = [&](bool trans_a, bool trans_b, std::int64_t rows, std::int64_t columns, std::int64_t depth,
                            double alpha, const Tensor& left, const Tensor& right, double beta, const Tensor& to) {
    kernels(matrix.device())
        .gemm({.dtype = matrix.dtype(),
               .trans_a = trans_a,
               .trans_b = trans_b,
               .m = rows,
               .n = columns,
               .k = depth,
               .a = left.impl()->data,
               .lda = left.size(1),
               .b = right.impl()->data,
               .ldb = right.size(1),
               .c = to.impl()->data,
               .ldc = columns,
               .alpha = alpha,
               .beta = beta});
  };
  for (std::int64_t step = 0; step < steps; ++step) {
    multiply(tall, !tall, k, k, std::max(m, n), 1, matrix, matrix, 0, gram);
    poly.copy_(gram);
    multiply(false, false, k, k, k, c, gram, gram, b, poly);
    std::swap(matrix, spare);  // spare is what the step begins with
    matrix.copy_(spare);
    if (tall) {
      multiply(false, false, m, n, n, 1, spare, poly, a, matrix);
    } else {
      multiply(false, false, m, n, m, 1, poly, spare, a, matrix);
    }
  }
}

struct Fallback {
  std::optional<double> lr, eps, weight_decay;
  std::optional<std::pair<double, double>> betas;
  std::optional<bool> maximize = false;
  explicit Fallback(const MuonOptions& o)
      : lr(o.fallback_lr), eps(o.fallback_eps), weight_decay(o.fallback_weight_decay), betas(o.fallback_betas) {}
};

}  // namespace

// Matrices whole, because each element of an update depends on all of the momentum: the iteration needs two matrices of
// the parameter's sizes and two of its smaller side squared, while it lasts. The others element by element.
template <>
struct RuleOf<MuonOptions> : AdamUpdate {
  using O = MuonOptions;
  static constexpr const char* name = "Muon";
  static constexpr auto options =
      std::tuple{Field{"lr", &O::lr, 1e-3, at_least(0)},
                 Field{"weight_decay", &O::weight_decay, 0.1, at_least(0)},
                 Field{"momentum", &O::momentum, 0.95, at_least(0)},
                 Field{"nesterov", &O::nesterov, true},
                 Field{"ns_coefficients", &O::ns_coefficients, std::array{3.4445, -4.775, 2.0315}},
                 Field{"eps", &O::eps, 1e-7, at_least(0)},
                 Field{"ns_steps", &O::ns_steps, std::int64_t{5}, between(0, 99)},
                 OptionalField{"adjust_lr_fn", &O::adjust_lr_fn, one_of("original, match_rms_adamw")},
                 OptionalField{"fallback", &O::fallback, one_of("auto, all")},
                 Field{"fallback_lr", &O::fallback_lr, 3e-4, at_least(0)},
                 Field{"fallback_betas", &O::fallback_betas, std::pair(0.9, 0.95), from_below(0, 1), from_below(0, 1)},
                 Field{"fallback_eps", &O::fallback_eps, 1e-10, at_least(0)},
                 Field{"fallback_weight_decay", &O::fallback_weight_decay, 0.0, at_least(0)}};
  static bool whole(const O& o, const Tensor& p) { return p.dim() == 2 && o.fallback != "all"; }
  static const char* check_parameter(const O& o, const Tensor& p) {
    if (p.dim() == 2 || o.fallback) return nullptr;
    return "must be a matrix, unless the group's fallback is 'auto' or 'all'";
  }
  static std::vector<const char*> state(const O& o, const Tensor& p) {
    if (whole(o, p)) return {"momentum_buffer"};
    return {"exp_avg", "exp_avg_sq"};
  }

  using Update = AdamUpdate;
  RuleOf(const O& o, const Moment& now) : AdamUpdate(adam_update(Fallback(o), now, true)) {}

  static void update_whole(const O& o, const Moment&, Tensor& p, const Tensor& g, std::span<Tensor> state) {
    if (p.numel() == 0) return;
    Tensor x = gradus::detail::make_empty(p.sizes(), p.dtype(), p.device());
    update_elements(MuonMomentum{*o.momentum, *o.nesterov}, x, g, state[0]);
    update_elements(Scale{1 / std::max(norm(x).item(), *o.eps)}, x, x);
    orthogonalize(x, *o.ns_coefficients, *o.ns_steps);
    const double rows = static_cast<double>(p.size(0)), columns = static_cast<double>(p.size(1));
    const double adjusted = o.adjust_lr_fn == "match_rms_adamw" ? 0.2 * std::sqrt(std::max(rows, columns))
                                                                : std::sqrt(std::max(1.0, rows / columns));
    update_elements(Move{1 - *o.lr * *o.weight_decay, *o.lr * adjusted}, p, x);
    gradus::detail::bump_version(p);
  }
};

template class OptimizerOf<MuonOptions>;

}  // namespace gradus::optim
