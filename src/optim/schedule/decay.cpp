#include <gradus/optim/lr_scheduler/decay.h>

#include <algorithm>

#include "kernels/math.h"
#include "optim/schedule/check.h"

namespace gradus::optim::lr_scheduler {

namespace {

void need_function(const char* schedule, const Function& function) {
  if (!function) throw ValueError(std::string(schedule) + ": lr_lambda must be given");
}

}  // namespace

Schedule LambdaLROptions::schedule() const {
  need_function("LambdaLR", lr_lambda);
  return {"LambdaLR", [f = lr_lambda](double t) { return Scaling{f(t)}; }};
}

Schedule MultiplicativeLROptions::schedule() const {
  need_function("MultiplicativeLR", lr_lambda);
  // The product so far is kept: it goes on from there, and anew from 1 when the step goes back.
  return {"MultiplicativeLR", [f = lr_lambda, at = 0.0, product = 1.0](double t) mutable {
            if (t < at) {
              at = 0;
              product = 1;
            }
            while (at + 1 <= t) product *= f(++at);
            return Scaling{product};
          }};
}

Schedule StepLROptions::schedule() const {
  need_at_least(1, "StepLR", "step_size", step_size);
  need_finite("StepLR", "gamma", gamma);
  return {"StepLR", [size = static_cast<double>(step_size), g = gamma](double t) {
            return Scaling{math::pow(g, std::floor(t / size))};
          }};
}

Schedule MultiStepLROptions::schedule() const {
  for (std::int64_t milestone : milestones) need_at_least(0, "MultiStepLR", "milestones", milestone);
  need_finite("MultiStepLR", "gamma", gamma);
  auto sorted = milestones;
  std::sort(sorted.begin(), sorted.end());
  return {"MultiStepLR",
          [sorted, g = gamma](double t) { return Scaling{math::pow(g, static_cast<double>(count_up_to(t, sorted)))}; }};
}

Schedule ConstantLROptions::schedule() const {
  need_part("ConstantLR", "factor", factor);
  need_at_least(0, "ConstantLR", "total_iters", total_iters);
  return {"ConstantLR",
          [f = factor, n = static_cast<double>(total_iters)](double t) { return Scaling{t < n ? f : 1}; }};
}

Schedule LinearLROptions::schedule() const {
  need(start_factor > 0 && start_factor <= 1, "LinearLR", "start_factor", "finite and in (0, 1]", start_factor);
  need_part("LinearLR", "end_factor", end_factor);
  need_at_least(1, "LinearLR", "total_iters", total_iters);
  return {"LinearLR", [start = start_factor, end = end_factor, n = static_cast<double>(total_iters)](double t) {
            const double part = std::min(t, n) / n;
            return Scaling{t < n ? start + (end - start) * part : end};
          }};
}

Schedule ExponentialLROptions::schedule() const {
  need_finite("ExponentialLR", "gamma", gamma);
  return {"ExponentialLR", [g = gamma](double t) { return Scaling{math::pow(g, t)}; }};
}

Schedule PolynomialLROptions::schedule() const {
  need_at_least(1, "PolynomialLR", "total_iters", total_iters);
  need(std::isfinite(power) && power >= 0, "PolynomialLR", "power", "finite and at least 0", power);
  return {"PolynomialLR", [n = static_cast<double>(total_iters), p = power](double t) {
            return Scaling{math::pow((n - std::min(t, n)) / n, p)};
          }};
}

}  // namespace gradus::optim::lr_scheduler
