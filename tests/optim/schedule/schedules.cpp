#include "optim/schedule/schedules.h"

#include <cmath>
#include <exception>
#include <fstream>

#include "support/paths.h"

namespace gradus::test {

namespace {

using nlohmann::json;
using namespace optim::lr_scheduler;  // NOLINT

// Fills the members that the trace names; a name that was not looked for is an error.
class Reader {
 public:
  explicit Reader(const json& options) : options_(options) {}
  ~Reader() noexcept(false) {
    if (used_ != options_.size() && std::uncaught_exceptions() == 0) throw ValueError("unread: " + options_.dump());
  }
  template <class T>
  Reader& operator()(const char* name, T& member) {
    if (!options_.contains(name)) return *this;
    ++used_;
    read(options_[name], member);
    return *this;
  }

 private:
  static double number(const json& j) { return j.is_string() ? std::stod(j.get<std::string>()) : j.get<double>(); }
  static void read(const json& j, double& x) { x = number(j); }
  static void read(const json& j, std::int64_t& x) { x = j.get<std::int64_t>(); }
  static void read(const json& j, bool& x) { x = j.get<bool>(); }
  static void read(const json& j, std::string& x) { x = j.get<std::string>(); }
  static void read(const json& j, std::vector<std::int64_t>& x) { x = j.get<std::vector<std::int64_t>>(); }
  static void read(const json& j, std::optional<std::int64_t>& x) { x = j.get<std::int64_t>(); }
  static void read(const json& j, PerGroup& x) {
    if (!j.is_array()) {
      x = number(j);
      return;
    }
    std::vector<double> values;
    for (const json& value : j) values.push_back(number(value));
    x = values;
  }
  static void read(const json& j, std::function<double(double)>& f) {
    if (j == "1/(5x)") f = [](double x) { return 1 / (5 * x); };
    if (j == "0.5^x") f = [](double x) { return std::pow(0.5, x); };
  }
  const json& options_;
  std::size_t used_ = 0;
};

double factor_of_group_0(std::int64_t t) { return std::pow(0.95, t / 10); }
double factor_of_group_1(std::int64_t t) { return 1 / (1 + 0.01 * static_cast<double>(t)); }

std::vector<LRScheduler> make_all(const json& list, optim::Optimizer& opt) {
  std::vector<LRScheduler> all;
  for (const json& entry : list) all.push_back(std::get<LRScheduler>(make_scheduler(entry[0], entry[1], opt)));
  return all;
}

}  // namespace

Scheduler make_scheduler(const std::string& name, const json& options, optim::Optimizer& opt) {
  if (name == "LambdaLR") return LambdaLR(opt, {factor_of_group_0, factor_of_group_1});
  if (name == "MultiplicativeLR")
    return MultiplicativeLR(opt, [](std::int64_t t) { return t % 2 == 1 ? 0.999 : 0.9995; });
  if (name == "StepLR") {
    StepLROptions o;
    Reader{options}("step_size", o.step_size)("gamma", o.gamma);
    return StepLR(opt, o);
  }
  if (name == "MultiStepLR") {
    MultiStepLROptions o;
    Reader{options}("milestones", o.milestones)("gamma", o.gamma);
    return MultiStepLR(opt, o);
  }
  if (name == "ConstantLR") {
    ConstantLROptions o;
    Reader{options}("factor", o.factor)("total_iters", o.total_iters);
    return ConstantLR(opt, o);
  }
  if (name == "LinearLR") {
    LinearLROptions o;
    Reader{options}("start_factor", o.start_factor)("end_factor", o.end_factor)("total_iters", o.total_iters);
    return LinearLR(opt, o);
  }
  if (name == "ExponentialLR") {
    ExponentialLROptions o;
    Reader{options}("gamma", o.gamma);
    return ExponentialLR(opt, o);
  }
  if (name == "PolynomialLR") {
    PolynomialLROptions o;
    Reader{options}("total_iters", o.total_iters)("power", o.power);
    return PolynomialLR(opt, o);
  }
  if (name == "CosineAnnealingLR") {
    CosineAnnealingLROptions o;
    Reader{options}("T_max", o.T_max)("eta_min", o.eta_min);
    return CosineAnnealingLR(opt, o);
  }
  if (name == "CosineAnnealingWarmRestarts") {
    CosineAnnealingWarmRestartsOptions o;
    Reader{options}("T_0", o.T_0)("T_mult", o.T_mult)("eta_min", o.eta_min);
    return CosineAnnealingWarmRestarts(opt, o);
  }
  if (name == "CyclicLR") {
    CyclicLROptions o;
    Reader{options}("base_lr", o.base_lr)("max_lr", o.max_lr)("step_size_up", o.step_size_up)(
        "step_size_down", o.step_size_down)("mode", o.mode)("gamma", o.gamma)("scale_fn", o.scale_fn)(
        "scale_mode", o.scale_mode)("cycle_momentum", o.cycle_momentum)("base_momentum", o.base_momentum)(
        "max_momentum", o.max_momentum);
    return CyclicLR(opt, o);
  }
  if (name == "OneCycleLR") {
    OneCycleLROptions o;
    Reader{options}("max_lr", o.max_lr)("total_steps", o.total_steps)("epochs", o.epochs)(
        "steps_per_epoch", o.steps_per_epoch)("pct_start", o.pct_start)("anneal_strategy", o.anneal_strategy)(
        "cycle_momentum", o.cycle_momentum)("base_momentum", o.base_momentum)("max_momentum", o.max_momentum)(
        "div_factor", o.div_factor)("final_div_factor", o.final_div_factor)("three_phase", o.three_phase);
    return OneCycleLR(opt, o);
  }
  if (name == "ReduceLROnPlateau") {
    ReduceLROnPlateauOptions o;
    std::string metrics;
    Reader{options}("metrics", metrics)("mode", o.mode)("factor", o.factor)("patience", o.patience)(
        "threshold", o.threshold)("threshold_mode", o.threshold_mode)("cooldown", o.cooldown)("min_lr", o.min_lr)(
        "eps", o.eps);
    return ReduceLROnPlateau(opt, o);
  }
  if (name == "SequentialLR")
    return SequentialLR(opt, make_all(options["schedules"], opt),
                        options["milestones"].get<std::vector<std::int64_t>>());
  if (name == "ChainedScheduler") return ChainedScheduler(make_all(options["schedules"], opt), opt);
  throw ValueError("no schedule " + name);
}

const json& schedules_trace() {
  static const json trace = [] {
    std::ifstream file(source_path("tests/traces/schedules.json"));
    return json::parse(file);
  }();
  return trace;
}

json invalid_schedules() {
  std::ifstream file(source_path("tests/traces/invalid_options.json"));
  return json::parse(file)["schedules"];
}

std::unique_ptr<optim::Optimizer> make_scheduled(const std::string& name) {
  const auto leaf = [] { return tensor({0.0}, {.dtype = kFloat64, .requires_grad = true}); };
  if (name == "SGD") {
    return std::unique_ptr<optim::Optimizer>(
        new optim::SGD({{.params = leaf(), .lr = 0.1}, {.params = leaf(), .lr = 0.01}}, {.momentum = 0.9}));
  }
  return std::unique_ptr<optim::Optimizer>(
      new optim::Adam({{.params = leaf(), .lr = 0.1}, {.params = leaf(), .lr = 0.01}}));
}

}  // namespace gradus::test
