#include "ops/mathematics_calls.h"

#include <gradus/ops/choice.h>
#include <gradus/ops/mathematics.h>
#include <gradus/ops/products.h>
#include <gradus/ops/statistics.h>

#include <limits>

namespace gradus::test {

namespace {

using Calls = std::map<std::string, Call>;

void add(Calls& calls, const std::string& name, std::function<Tensor(const Tensors&)> fn) {
  calls[name] = [fn](const Tensors& x) { return Tensors{fn(x)}; };
}

void add_pair(Calls& calls, const std::string& name, std::function<std::pair<Tensor, Tensor>(const Tensor&)> fn) {
  calls[name] = [fn](const Tensors& x) {
    const auto [first, second] = fn(x[0]);
    return Tensors{first, second};
  };
}

void add_pointwise(Calls& calls) {
  for (const auto& [name, fn] : std::map<std::string, Tensor (*)(const Tensor&)>{
           {"asin", asin},         {"acos", acos},         {"sinh", sinh},
           {"cosh", cosh},         {"asinh", asinh},       {"acosh", acosh},
           {"atanh", atanh},       {"deg2rad", deg2rad},   {"rad2deg", rad2deg},
           {"sinc", sinc},         {"exp2", exp2},         {"erfc", erfc},
           {"erfinv", erfinv},     {"lgamma", lgamma},     {"digamma", digamma},
           {"trunc", trunc},       {"frac", frac},         {"signbit", signbit},
           {"isposinf", isposinf}, {"isneginf", isneginf}, {"bitwise_not", bitwise_not}})
    calls[name] = [fn = fn](const Tensors& x) { return Tensors{fn(x[0])}; };
  for (const auto& [name, fn] :
       std::map<std::string, Tensor (*)(const Tensor&, const Tensor&)>{{"hypot", hypot},
                                                                       {"logaddexp", logaddexp},
                                                                       {"logaddexp2", logaddexp2},
                                                                       {"fmax", fmax},
                                                                       {"fmin", fmin},
                                                                       {"heaviside", heaviside},
                                                                       {"mv", mv},
                                                                       {"vdot", vdot},
                                                                       {"inner", inner},
                                                                       {"kron", kron},
                                                                       {"bitwise_and", bitwise_and},
                                                                       {"bitwise_or", bitwise_or},
                                                                       {"bitwise_xor", bitwise_xor},
                                                                       {"bitwise_left_shift", bitwise_left_shift},
                                                                       {"bitwise_right_shift", bitwise_right_shift},
                                                                       {"xlogy", xlogy},
                                                                       {"fmod", fmod},
                                                                       {"copysign", copysign},
                                                                       {"float_power", float_power}})
    calls[name] = [fn = fn](const Tensors& x) { return Tensors{fn(x[0], x[1])}; };
  add(calls, "logit", [](const Tensors& x) { return logit(x[0]); });
  add(calls, "logit_eps", [](const Tensors& x) { return logit(x[0], 0.1); });
  for (int n : {1, 2, 3})
    add(calls, "polygamma_" + std::to_string(n), [n](const Tensors& x) { return polygamma(n, x[0]); });
  add(calls, "nan_to_num", [](const Tensors& x) { return nan_to_num(x[0]); });
  add(calls, "nan_to_num_given", [](const Tensors& x) { return nan_to_num(x[0], 1.5, 2.5, -3.5); });
  add(calls, "copysign_number", [](const Tensors& x) { return copysign(x[0], -0.0); });
  add(calls, "float_power_number", [](const Tensors& x) { return float_power(x[0], 2); });
  add(calls, "where_right", [](const Tensors& x) { return where(x[0] > 0, x[0], 0.5); });
  add(calls, "where_left", [](const Tensors& x) { return where(x[0] > 0, 2, x[0]); });
  add(calls, "where_both", [](const Tensors& x) { return where(x[0] > 0, 1.0, 0.0); });
  add(calls, "where_integers", [](const Tensors& x) { return where(x[0] > 0, 1, 0); });
  add(calls, "where_mixed", [](const Tensors& x) { return where(x[0] > 0, 1, 0.5); });
  add(calls, "isclose", [](const Tensors& x) { return isclose(x[0], x[1]); });
  add(calls, "isclose_nan", [](const Tensors& x) { return isclose(x[0], x[1], 0.1, 0.5, true); });
  add(calls, "div_trunc", [](const Tensors& x) { return div(x[0], x[1], "trunc"); });
  add(calls, "div_floor", [](const Tensors& x) { return div(x[0], x[1], "floor"); });
  add(calls, "addcmul", [](const Tensors& x) { return addcmul(x[0], x[1], x[2]); });
  add(calls, "addcdiv", [](const Tensors& x) { return addcdiv(x[0], x[1], x[2]); });
  add(calls, "addcmul_value", [](const Tensors& x) { return addcmul(x[0], x[1], x[2], -0.5); });
  add(calls, "addcdiv_value", [](const Tensors& x) { return addcdiv(x[0], x[1], x[2], -0.5); });
}

void add_products(Calls& calls) {
  add(calls, "addmv", [](const Tensors& x) { return addmv(x[0], x[1], x[2]); });
  add(calls, "addmv_scaled", [](const Tensors& x) { return addmv(x[0], x[1], x[2], 0.5, 2); });
  add(calls, "addmv_without", [](const Tensors& x) { return addmv(x[0], x[1], x[2], 0); });
  add(calls, "addr", [](const Tensors& x) { return addr(x[0], x[1], x[2]); });
  add(calls, "baddbmm", [](const Tensors& x) { return baddbmm(x[0], x[1], x[2]); });
  add(calls, "addbmm", [](const Tensors& x) { return addbmm(x[0], x[1], x[2]); });
  add(calls, "tensordot", [](const Tensors& x) { return tensordot(x[0], x[1]); });
  add(calls, "tensordot_0", [](const Tensors& x) { return tensordot(x[0], x[1], 0); });
  add(calls, "tensordot_lists", [](const Tensors& x) { return tensordot(x[0], x[1], {2, 0}, {1, -3}); });
  for (int p : {0, 1, 2, 3})
    add(calls, "dist_" + std::to_string(p), [p](const Tensors& x) { return dist(x[0], x[1], p); });
  add(calls, "dist_inf", [](const Tensors& x) { return dist(x[0], x[1], std::numeric_limits<double>::infinity()); });
  add(calls, "cov", [](const Tensors& x) { return cov(x[0]); });
  add(calls, "cov_0", [](const Tensors& x) { return cov(x[0], 0); });
  add(calls, "cov_f", [](const Tensors& x) { return cov(x[0], 1, x[1]); });
  add(calls, "cov_a", [](const Tensors& x) { return cov(x[0], 1, Tensor(), x[1]); });
  add(calls, "cov_fa", [](const Tensors& x) { return cov(x[0], 2, x[1], x[2]); });
  add(calls, "corrcoef", [](const Tensors& x) { return corrcoef(x[0]); });
  add(calls, "diff", [](const Tensors& x) { return diff(x[0]); });
  add(calls, "diff_2", [](const Tensors& x) { return diff(x[0], 2, 0); });
  add(calls, "diff_5", [](const Tensors& x) { return diff(x[0], 5); });
  add(calls, "diff_joined", [](const Tensors& x) { return diff(x[0], 1, 1, x[1], x[2]); });
  add(calls, "trapezoid", [](const Tensors& x) { return trapezoid(x[0]); });
  add(calls, "trapezoid_dx", [](const Tensors& x) { return trapezoid(x[0], 0.5, 0); });
  add(calls, "trapezoid_x", [](const Tensors& x) { return trapezoid(x[0], x[1]); });
  add(calls, "cumulative_trapezoid", [](const Tensors& x) { return cumulative_trapezoid(x[0]); });
  add(calls, "cumulative_trapezoid_dx", [](const Tensors& x) { return cumulative_trapezoid(x[0], 0.5, 0); });
  add(calls, "cumulative_trapezoid_x", [](const Tensors& x) { return cumulative_trapezoid(x[0], x[1]); });
  for (int n : {0, 1, 2, 5})
    add(calls, "matrix_power_" + std::to_string(n), [n](const Tensors& x) { return linalg::matrix_power(x[0], n); });
  add(calls, "multi_dot", [](const Tensors& x) { return linalg::multi_dot(x); });
}

void add_statistics(Calls& calls) {
  add(calls, "count_nonzero", [](const Tensors& x) { return count_nonzero(x[0]); });
  add(calls, "count_nonzero_0", [](const Tensors& x) { return count_nonzero(x[0], 0); });
  add(calls, "nansum", [](const Tensors& x) { return nansum(x[0]); });
  add(calls, "nansum_1", [](const Tensors& x) { return nansum(x[0], 1, true); });
  add(calls, "nanmean_1", [](const Tensors& x) { return nanmean(x[0], 1); });
  add_pair(calls, "var_mean_1", [](const Tensor& x) { return var_mean(x, 1); });
  add_pair(calls, "std_mean", [](const Tensor& x) { return std_mean(x, {}, 0); });
  add_pair(calls, "aminmax", [](const Tensor& x) { return aminmax(x); });
  add_pair(calls, "aminmax_1", [](const Tensor& x) { return aminmax(x, 1, true); });
  add_pair(calls, "cummax", [](const Tensor& x) { return cummax(x, 1); });
  add_pair(calls, "cummax_0", [](const Tensor& x) { return cummax(x, 0); });
  add_pair(calls, "cummin", [](const Tensor& x) { return cummin(x, 1); });
  add_pair(calls, "cummin_0", [](const Tensor& x) { return cummin(x, 0); });
  add_pair(calls, "nanmedian_1", [](const Tensor& x) { return nanmedian(x, 1); });
  add_pair(calls, "kthvalue", [](const Tensor& x) { return kthvalue(x, 2, 1); });
  add_pair(calls, "kthvalue_keep", [](const Tensor& x) { return kthvalue(x, 1, 0, true); });
  add(calls, "nanmedian", [](const Tensors& x) { return nanmedian(x[0]); });
  add(calls, "quantile", [](const Tensors& x) { return quantile(x[0], 0.3); });
  add(calls, "nanquantile_1", [](const Tensors& x) { return nanquantile(x[0], 0.3, 1); });
  for (const std::string mode : {"linear", "lower", "higher", "midpoint", "nearest"}) {
    const Tensor q = tensor({0.0, 0.2, 0.5, 0.9, 1.0}, {.dtype = kFloat64});
    add(calls, "quantile_" + mode, [=](const Tensors& x) { return quantile(x[0], q, 0, true, mode); });
    add(calls, "nanquantile_" + mode, [=](const Tensors& x) { return nanquantile(x[0], q, 1, false, mode); });
  }
  add(calls, "logcumsumexp", [](const Tensors& x) { return logcumsumexp(x[0], 1); });
  add(calls, "histc", [](const Tensors& x) { return histc(x[0]); });
  add(calls, "histc_range", [](const Tensors& x) { return histc(x[0], 4, -1, 3); });
  add(calls, "bincount", [](const Tensors& x) { return bincount(x[0]); });
  add(calls, "bincount_weights", [](const Tensors& x) { return bincount(x[0], x[1]); });
  add(calls, "bincount_least", [](const Tensors& x) { return bincount(x[0], Tensor(), 7); });
  add(calls, "renorm_2", [](const Tensors& x) { return renorm(x[0], 2, 0, 1.5); });
  add(calls, "renorm_1", [](const Tensors& x) { return renorm(x[0], 1, 1, 0.5); });
}

}  // namespace

const Calls& mathematics_calls() {
  static const Calls all = [] {
    Calls calls;
    add_pointwise(calls);
    add_products(calls);
    add_statistics(calls);
    return calls;
  }();
  return all;
}

}  // namespace gradus::test
