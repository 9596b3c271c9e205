#include <gradus/nn/layers/normalization.h>
#include <gradus/ops.h>
#include <gradus/optim/swa_utils.h>

namespace gradus::optim::swa_utils::detail {

struct [[gnu::visibility("hidden")]] BatchNormStatistics::Layer {
  nn::BatchNorm* norm;
  std::size_t hook = 0;
  Tensor before_mean, before_var, before_tracked;
  Tensor mean, var;  // over the batches so far
  std::int64_t batches = 0;

  void see(const Tensor& x) {
    Dims dims;
    std::int64_t elements = 1;
    for (std::int64_t d = 0; d < x.dim(); ++d) {
      if (d == 1) continue;
      dims.push_back(d);
      elements *= x.size(d);
    }
    if (elements < 2 || x.dim() < 2) return;  // which the layer itself refuses
    const NoGrad guard;
    const Dtype dtype = norm->running_mean.dtype();
    const Tensor all = x.to(dtype);
    ++batches;
    mean.add_((gradus::mean(all, dims) - mean) / static_cast<double>(batches));
    var.add_((gradus::var(all, dims) - var) / static_cast<double>(batches));
  }
};

BatchNormStatistics::BatchNormStatistics(nn::Module& model) : model_(model), training_(model.is_training()) {
  for (const auto& [name, module] : model.named_modules()) {
    auto* norm = dynamic_cast<nn::BatchNorm*>(module);
    if (norm == nullptr || !norm->running_mean.defined()) continue;
    auto layer = std::make_unique<Layer>();
    layer->norm = norm;
    layer->before_mean = norm->running_mean.detach().clone();
    layer->before_var = norm->running_var.detach().clone();
    layer->before_tracked = norm->num_batches_tracked.detach().clone();
    layer->mean = zeros_like(layer->before_mean);
    layer->var = zeros_like(layer->before_var);
    layer->hook = norm->register_forward_pre_hook([at = layer.get()](nn::Module& here, const Tensor& x) {
      if (here.is_training()) at->see(x);
      return Tensor();
    });
    layers_.push_back(std::move(layer));
  }
  if (!layers_.empty()) model_.train();
}

BatchNormStatistics::~BatchNormStatistics() {
  const NoGrad guard;
  for (const auto& layer : layers_) {
    layer->norm->remove_hook(layer->hook);
    layer->norm->running_mean.copy_(layer->before_mean);
    layer->norm->running_var.copy_(layer->before_var);
    layer->norm->num_batches_tracked.copy_(layer->before_tracked);
  }
  if (!layers_.empty()) model_.train(training_);
}

bool BatchNormStatistics::none() const { return layers_.empty(); }

void BatchNormStatistics::finish() {
  for (const auto& layer : layers_) {
    if (layer->batches == 0) continue;
    layer->before_mean = layer->mean;
    layer->before_var = layer->var;
    layer->before_tracked = full_like(layer->before_tracked, layer->batches);
  }
}

}  // namespace gradus::optim::swa_utils::detail
