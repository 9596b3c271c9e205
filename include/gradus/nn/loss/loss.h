// Losses as modules; the functions and their options are in gradus/nn/functional.h.
#pragma once

#include <gradus/nn/functional.h>
#include <gradus/nn/module.h>

namespace gradus::nn {

// A module of input and target around one function and its options.
template <class Options, Tensor (*function)(const Tensor&, const Tensor&, const Options&)>
class Loss : public Module {
 public:
  explicit Loss(std::string type, Options options) : Module(std::move(type)), options_(std::move(options)) {}
  Tensor forward(const Tensor& input, const Tensor& target) { return function(input, target, options_); }
  Tensor operator()(const Tensor& input, const Tensor& target) {
    return call([&] { return forward(input, target); });
  }
  Options& options() { return options_; }

 private:
  using Module::forward;
  Options options_;
};

struct CrossEntropyLoss : Loss<CrossEntropyOptions, functional::cross_entropy> {
  explicit CrossEntropyLoss(CrossEntropyOptions options = {}) : Loss("CrossEntropyLoss", std::move(options)) {}
};
struct NLLLoss : Loss<NllOptions, functional::nll_loss> {
  explicit NLLLoss(NllOptions options = {}) : Loss("NLLLoss", std::move(options)) {}
};
struct BCELoss : Loss<BceOptions, functional::binary_cross_entropy> {
  explicit BCELoss(BceOptions options = {}) : Loss("BCELoss", std::move(options)) {}
};
struct BCEWithLogitsLoss : Loss<BceWithLogitsOptions, functional::binary_cross_entropy_with_logits> {
  explicit BCEWithLogitsLoss(BceWithLogitsOptions options = {}) : Loss("BCEWithLogitsLoss", std::move(options)) {}
};
struct MSELoss : Loss<LossOptions, functional::mse_loss> {
  explicit MSELoss(LossOptions options = {}) : Loss("MSELoss", options) {}
};
struct L1Loss : Loss<LossOptions, functional::l1_loss> {
  explicit L1Loss(LossOptions options = {}) : Loss("L1Loss", options) {}
};
struct HuberLoss : Loss<HuberOptions, functional::huber_loss> {
  explicit HuberLoss(HuberOptions options = {}) : Loss("HuberLoss", options) {}
};
struct SmoothL1Loss : Loss<SmoothL1Options, functional::smooth_l1_loss> {
  explicit SmoothL1Loss(SmoothL1Options options = {}) : Loss("SmoothL1Loss", options) {}
};
struct KLDivLoss : Loss<KlDivOptions, functional::kl_div> {
  explicit KLDivLoss(KlDivOptions options = {}) : Loss("KLDivLoss", options) {}
};

class CosineEmbeddingLoss : public Module {
 public:
  explicit CosineEmbeddingLoss(CosineEmbeddingOptions options = {})
      : Module("CosineEmbeddingLoss"), options_(options) {}
  Tensor forward(const Tensor& x1, const Tensor& x2, const Tensor& target) {
    return functional::cosine_embedding_loss(x1, x2, target, options_);
  }
  Tensor operator()(const Tensor& x1, const Tensor& x2, const Tensor& target) {
    return call([&] { return forward(x1, x2, target); });
  }

 private:
  using Module::forward;
  CosineEmbeddingOptions options_;
};

}  // namespace gradus::nn
