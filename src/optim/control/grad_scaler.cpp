#include <gradus/amp.h>
#include <gradus/ops.h>

#include <cmath>
#include <limits>

#include "core/recorded_step.h"
#include "optim/engine/gradients.h"
#include "optim/engine/minimize.h"

namespace gradus::amp {

namespace {

// `call` is empty for the constructor.
[[noreturn]] void refuse(const char* call, const std::string& rule) {
  throw ValueError(std::string(*call != '\0' ? "GradScaler." : "GradScaler") + call + ": " + rule);
}

void check(const char* call, const char* name, const char* rule, double x, bool valid) {
  if (!valid) refuse(call, std::string(name) + " must be " + rule + ", got " + to_string(x));
}

// The scale is a float32, as PyTorch's.
float checked_scale(const char* call, const char* name, double scale) {
  const auto narrow = static_cast<float>(scale);
  check(call, name, "finite in float32 and above 0", scale, std::isfinite(narrow) && narrow > 0);
  return narrow;
}

void check_options(const char* call, const GradScalerOptions& o) {
  check(call, "growth_factor", "finite and above 1", o.growth_factor,
        std::isfinite(o.growth_factor) && o.growth_factor > 1);
  check(call, "backoff_factor", "in (0, 1)", o.backoff_factor, o.backoff_factor > 0 && o.backoff_factor < 1);
  if (o.growth_interval < 1) {
    refuse(call, "growth_interval must be at least 1, got " + std::to_string(o.growth_interval));
  }
}

}  // namespace

GradScaler::GradScaler(const GradScalerOptions& options)
    : options_(options), scale_(checked_scale("", "init_scale", options.init_scale)) {
  check_options("", options);
}

GradScaler::GradScaler(Device device, const GradScalerOptions& options) : GradScaler(options) {
  options_.enabled = options.enabled && is_available(device);
}

Tensor GradScaler::scale(const Tensor& outputs) {
  if (!options_.enabled) return outputs;
  core::refuse_recording("GradScaler.scale", core::kDecides);
  if (!outputs.defined() || !outputs.is_floating_point()) {
    refuse("scale", std::string("needs a floating-point tensor, got ") +
                        (outputs.defined() ? to_string(outputs.dtype()) : "an undefined one"));
  }
  const bool narrow = outputs.dim() == 0 && outputs.element_size() < 4;
  const Tensor scaled = (narrow ? outputs.to(kFloat32) : outputs) * static_cast<double>(scale_);
  scaled_ = true;
  return scaled;
}

std::vector<Tensor> GradScaler::scale(const std::vector<Tensor>& outputs) {
  std::vector<Tensor> scaled;
  for (const Tensor& output : outputs) scaled.push_back(scale(output));
  return scaled;
}

void GradScaler::need_scaled(const char* call) const {
  core::refuse_recording(std::string("GradScaler.") + call, core::kWaits);
  if (!scaled_) refuse(call, "nothing was scaled yet; call scale(loss).backward() first");
}

GradScaler::Iteration& GradScaler::iteration_of(const optim::Optimizer& optimizer) {
  Iteration& iteration = iterations_[&optimizer];
  if (iteration.alive.expired()) iteration = {.alive = optimizer.alive()};
  return iteration;
}

void GradScaler::unscale_(optim::Optimizer& optimizer) {
  if (!options_.enabled) return;
  need_scaled("unscale_");
  const Stage stage = iteration_of(optimizer).stage;
  if (stage == Stage::unscaled) {
    refuse("unscale_", std::string("has already been called for ") + optimizer.name() + " since the last update()");
  }
  if (stage == Stage::stepped) {
    refuse("unscale_", std::string("comes after step() for ") + optimizer.name() + "; call update() first");
  }
  optim::Gradients gradients;
  for (std::size_t g = 0; g < optimizer.group_count(); ++g) {
    for (const optim::NamedTensor& parameter : optimizer.group_params(g)) {
      if (!gradus::detail::is_frozen(*parameter.second.impl()))
        gradients.add_gradient_of("GradScaler.unscale_", parameter);
    }
  }
  // The largest element of each: where all of these are finite, every element is.
  const std::vector<double> largest = gradients.powers(std::numeric_limits<double>::infinity());
  gradients.scale(static_cast<float>(1 / static_cast<double>(scale_)));
  iteration_of(optimizer) = {.alive = optimizer.alive(),
                             .stage = Stage::unscaled,
                             .checked = !gradients.tensors.empty(),
                             .found_inf = optim::first_nonfinite(largest) < largest.size()};
}

bool GradScaler::step(optim::Optimizer& optimizer) {
  if (!options_.enabled) return optimizer.step();
  need_scaled("step");
  if (iteration_of(optimizer).stage == Stage::stepped) {
    refuse("step", std::string("has already been called for ") + optimizer.name() + " since the last update()");
  }
  if (iteration_of(optimizer).stage == Stage::ready) unscale_(optimizer);
  const Iteration iteration = iteration_of(optimizer);
  if (!iteration.checked) refuse("step", std::string("no parameter of ") + optimizer.name() + " has a gradient");
  const bool stepped = !iteration.found_inf && optimizer.step();
  iteration_of(optimizer).stage = Stage::stepped;
  return stepped;
}

Tensor GradScaler::step(optim::Optimizer& optimizer, const std::function<Tensor()>& closure) {
  if (options_.enabled) {
    refuse("step", std::string("takes no closure, which ") + optimizer.name() +
                       " would call with gradients that are scaled; make the scaler with enabled = false");
  }
  return optimizer.step(closure);
}

bool GradScaler::minimize(optim::Optimizer& optimizer, const Tensor& loss) {
  if (!options_.enabled) return optimizer.minimize(loss);
  if (iteration_of(optimizer).stage != Stage::ready) {
    refuse("minimize",
           std::string("comes after unscale_() or step() for ") + optimizer.name() + "; call update() first");
  }
  const Tensor scaled = scale(loss);
  optimizer.zero_grad();
  optim::backward_for("GradScaler.minimize", scaled, optimizer.parameters());
  return step(optimizer);
}

void GradScaler::update() {
  if (!options_.enabled) return;
  need_scaled("update");
  bool checked = false, found_inf = false;
  for (const auto& [optimizer, iteration] : iterations_) {
    checked = checked || iteration.checked;
    found_inf = found_inf || iteration.found_inf;
  }
  if (!checked) refuse("update", "no gradients were looked at since the last update(); call step(optimizer) first");
  // Not past float32's numbers, in either direction.
  const auto move_to = [&](double next) {
    const auto narrow = static_cast<float>(next);
    if (std::isfinite(narrow) && narrow > 0) scale_ = narrow;
  };
  if (found_inf) {
    move_to(scale_ * options_.backoff_factor);
    growth_tracker_ = 0;
  } else if (++growth_tracker_ >= options_.growth_interval) {
    move_to(scale_ * options_.growth_factor);
    growth_tracker_ = 0;
  }
  iterations_.clear();
}

void GradScaler::update(double new_scale) {
  if (!options_.enabled) return;
  need_scaled("update");
  scale_ = checked_scale("update", "new_scale", new_scale);
  iterations_.clear();
}

double GradScaler::get_scale() const { return options_.enabled ? static_cast<double>(scale_) : 1; }

void GradScaler::set_growth_factor(double factor) {
  GradScalerOptions options = options_;
  options.growth_factor = factor;
  check_options("set_growth_factor", options);
  options_ = options;
}

void GradScaler::set_backoff_factor(double factor) {
  GradScalerOptions options = options_;
  options.backoff_factor = factor;
  check_options("set_backoff_factor", options);
  options_ = options;
}

void GradScaler::set_growth_interval(std::int64_t interval) {
  GradScalerOptions options = options_;
  options.growth_interval = interval;
  check_options("set_growth_interval", options);
  options_ = options;
}

io::Value GradScaler::state_dict() const {
  if (!options_.enabled) return io::Value::dict();
  return io::Value::dict({{"scale", get_scale()},
                          {"growth_factor", options_.growth_factor},
                          {"backoff_factor", options_.backoff_factor},
                          {"growth_interval", options_.growth_interval},
                          {"_growth_tracker", growth_tracker_}});
}

void GradScaler::load_state_dict(const io::Value& state) {
  if (!options_.enabled) return;
  const char* call = "load_state_dict";
  if (!state.is(io::ValueKind::Dict)) refuse(call, std::string("needs a dict, got a ") + io::to_string(state.kind()));
  if (state.size() == 0) refuse(call, "the state is empty; was it saved from a scaler that is not enabled?");
  GradScalerOptions options = options_;
  options.growth_factor = state.as_double({"growth_factor"});
  options.backoff_factor = state.as_double({"backoff_factor"});
  options.growth_interval = state.as_int({"growth_interval"});
  check_options(call, options);
  const std::int64_t tracker = state.as_int({"_growth_tracker"});
  if (tracker < 0) refuse(call, "_growth_tracker must be at least 0, got " + std::to_string(tracker));
  scale_ = checked_scale(call, "scale", state.as_double({"scale"}));
  options_ = options;
  growth_tracker_ = tracker;
}

}  // namespace gradus::amp
