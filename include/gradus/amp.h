// Training in float16: torch.amp.GradScaler. Gradients below float16's smallest number would become 0, so the loss is
// multiplied by a large number first, and the gradients are divided by it before the optimizer sees them. Where one of
// them has become infinite or NaN, the step is left out and the number halved; after many good steps it doubles.
//
//   amp::GradScaler scaler;
//   for (const auto& [images, labels] : loader) {
//     opt.zero_grad();
//     Tensor loss;
//     {
//       const Autocast scope(kFloat16);
//       loss = nn::functional::cross_entropy(net(images), labels);
//     }
//     scaler.scale(loss).backward();
//     scaler.unscale_(opt);  // only where something looks at the gradients before the step, as clipping does
//     nn::utils::clip_grad_norm_(net.parameters(), 1.0);
//     scaler.step(opt);
//     scaler.update();
//   }
#pragma once

#include <gradus/autocast.h>
#include <gradus/io/value.h>
#include <gradus/optim/optimizer.h>

namespace gradus::amp {

// ValueError for a number outside of its range.
struct GradScalerOptions {
  double init_scale = 65536;            // above 0
  double growth_factor = 2;             // above 1
  double backoff_factor = 0.5;          // in (0, 1)
  std::int64_t growth_interval = 2000;  // steps without an overflow; at least 1
  bool enabled = true;                  // false: step() is the optimizer's, and all else does nothing
};

// One for a training, also if there are several optimizers. Calls in the wrong order are a ValueError, and have changed
// nothing. On a device, step() or unscale_() waits once, for the word whether all gradients are finite.
class GradScaler {
 public:
  explicit GradScaler(const GradScalerOptions& options = {});
  // As PyTorch's, it is not enabled if there is no such device: is_enabled() tells. Apart from that, the device does
  // not matter: the scale is the host's, and gradients may be on any device.
  explicit GradScaler(Device device, const GradScalerOptions& options = {});

  // outputs * get_scale(). A single number of 16 bits becomes float32, where it has room.
  Tensor scale(const Tensor& outputs);
  std::vector<Tensor> scale(const std::vector<Tensor>& outputs);

  // Divides the gradients by the scale, and finds out whether all are finite. Once per optimizer between two update():
  // ValueError for the second time, after step(), or if nothing was ever scaled. Frozen parameters do not count.
  void unscale_(optim::Optimizer& optimizer);
  // unscale_ if that has not happened, then optimizer.step() unless a gradient was not finite. False where there was no
  // step, as of Optimizer::step: `if (scaler.step(opt)) scheduler.step();`. ValueError for a second step before
  // update(), and where no parameter has a gradient. If the optimizer throws, its gradients are unscaled all the same.
  bool step(optim::Optimizer& optimizer);
  // Optimizers that need a closure (LBFGS) cannot be scaled: ValueError if the scaler is enabled, as in PyTorch.
  Tensor step(optim::Optimizer& optimizer, const std::function<Tensor()>& closure);
  // optimizer.minimize(loss), scaled: zero_grad, scale(loss).backward for its parameters only, step. update() stays to
  // be called, once after all optimizers.
  bool minimize(optim::Optimizer& optimizer, const Tensor& loss);

  // At the end of an iteration: the scale shrinks if a gradient of any optimizer was not finite, and else grows after
  // every growth_interval iterations. ValueError if no gradients were looked at.
  void update();
  void update(double new_scale);

  bool is_enabled() const { return options_.enabled; }
  double get_scale() const;  // 1 if it is not enabled
  double get_growth_factor() const { return options_.growth_factor; }
  double get_backoff_factor() const { return options_.backoff_factor; }
  std::int64_t get_growth_interval() const { return options_.growth_interval; }
  void set_growth_factor(double factor);
  void set_backoff_factor(double factor);
  void set_growth_interval(std::int64_t interval);

  // A dict as PyTorch's; empty if it is not enabled. What it keeps between step() and update() is not in it. A
  // training::Checkpoint takes a scaler as a part.
  io::Value state_dict() const;
  // Checks everything before it changes anything; ValueError. Does nothing if the scaler is not enabled.
  void load_state_dict(const io::Value& state);

 private:
  enum class Stage : std::uint8_t { ready, unscaled, stepped };
  struct Iteration {
    std::weak_ptr<const void> alive;  // another optimizer may come to lie at the same address
    Stage stage = Stage::ready;
    bool checked = false, found_inf = false;
  };
  void need_scaled(const char* call) const;
  Iteration& iteration_of(const optim::Optimizer& optimizer);

  GradScalerOptions options_;
  float scale_;
  bool scaled_ = false;  // ever
  std::int64_t growth_tracker_ = 0;
  std::map<const optim::Optimizer*, Iteration> iterations_;
};

}  // namespace gradus::amp
