// Averages of weights: torch.optim.swa_utils.
//
//   optim::swa_utils::AveragedModel ema(net, {.multi_avg_fn = get_ema_multi_avg_fn(0.999)});
//   for (...) {
//     opt.minimize(loss(net(x)));
//     ema.update_parameters(net);
//   }
//   ema.eval();
//   ema(x);   // or anything else of ema.module, which is a Net
#pragma once

#include <limits>
#include <memory>
#include <span>

#include <gradus/autograd.h>
#include <gradus/nn/module.h>
#include <gradus/optim/lr_scheduler/scheduler.h>

namespace gradus::optim::swa_utils {

// Changes `averaged` in place, given the tensors that follow after n_averaged others. Pairs have equal sizes and types.
using MultiAvgFn =
    std::function<void(std::span<Tensor> averaged, std::span<const Tensor> current, std::int64_t n_averaged)>;

// averaged = decay averaged + (1 - decay) current (Polyak and Juditsky, 1992). One pass over all tensors, threaded. In
// the parameters' own type, as in PyTorch: in float32 an average does not move by less than 6e-8 of itself, so with a
// decay of 0.9999 it stops short where it differs from the parameter by less than 6e-4 of that. Average in float64
// against it. ValueError for a decay outside [0, 1].
MultiAvgFn get_ema_multi_avg_fn(double decay = 0.999);
// The mean of all so far (Izmailov et al., 2018).
MultiAvgFn get_swa_multi_avg_fn();

struct AveragedModelOptions {
  MultiAvgFn multi_avg_fn = {};  // get_swa_multi_avg_fn()
  bool use_buffers = false;      // average buffers too; otherwise they are copied
};

namespace detail {
// What update_parameters does.
void update(const nn::Module& average, const nn::Module& model, const AveragedModelOptions& options,
            std::int64_t n_averaged);
}  // namespace detail

// A copy of a network whose parameters average those it is shown. Its state dict is PyTorch's: "n_averaged" and
// "module.*"; options are not in it. The parameters must be float32 or float64 (DtypeError).
template <class M>
struct AveragedModel : nn::Module {
  nn::Buffer n_averaged = add("n_averaged", nn::Buffer(zeros({}, {.dtype = kInt64})));
  M module;

  AveragedModel(const M& model, AveragedModelOptions options = {})
      : Module("AveragedModel"), module(add("module", nn::clone(model))), options_(std::move(options)) {}
  Tensor forward(const Tensor& x) override { return module(x); }

  // The first time it copies. ValueError, and nothing changes, unless the model is like the one it was made from.
  void update_parameters(const nn::Module& model) {
    detail::update(module, model, options_, n_averaged.template item<std::int64_t>());
    NoGrad guard;
    n_averaged.add_(1);
  }

 private:
  AveragedModelOptions options_;
};

namespace detail {
// While one lives, batch normalisations of the model that train follow every batch alike.
class BatchNormStatistics {
 public:
  explicit BatchNormStatistics(nn::Module& model);
  ~BatchNormStatistics();
  BatchNormStatistics(const BatchNormStatistics&) = delete;
  BatchNormStatistics& operator=(const BatchNormStatistics&) = delete;
  bool none() const;  // there is no batch normalisation
  void finish();      // writes what was found

 private:
  struct Layer;
  nn::Module& model_;
  bool training_;
  std::vector<std::unique_ptr<Layer>> layers_;
};
}  // namespace detail

// Running statistics of batch normalisation for weights that were averaged: the means over all batches of the loader,
// which gives batches with `data`, or tensors. The model then trains or evaluates as before. As in PyTorch, but what
// is frozen keeps its statistics; if a batch throws, all do.
template <class Loader>
void update_bn(Loader&& loader, nn::Module& model) {
  detail::BatchNormStatistics statistics(model);
  if (statistics.none()) return;
  NoGrad guard;
  for (const auto& batch : loader) {
    if constexpr (requires { batch.data; })
      model(batch.data);
    else
      model(batch);
  }
  statistics.finish();
}

struct SWALROptions {
  double swa_lr = std::numeric_limits<double>::quiet_NaN();  // must be given
  std::int64_t anneal_epochs = 10;                           // at least 0
  std::string anneal_strategy = "cos";                       // or "linear"
  std::string option = "lr";
  lr_scheduler::Schedule schedule() const;
};
// From the rate as it is at the first step() to swa_lr, whatever another scheduler has made of it until then.
using SWALR = lr_scheduler::SchedulerOf<SWALROptions>;

}  // namespace gradus::optim::swa_utils
