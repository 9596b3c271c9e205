// Parameters of which their optimizer keeps two points: the one that trains, and an average, which is the result.
#pragma once

#include "core/tensor_access.h"

namespace gradus::detail {

// What an optimizer that keeps such points registers with its parameters.
struct WeightView {
  virtual ~WeightView() = default;
  // Puts one of the points into the parameter's memory.
  virtual void show(const Tensor& p, bool averaged) = 0;
  // The average; undefined while the parameter itself is all there is.
  virtual Tensor averaged(const Tensor& p) = 0;
  // Makes `value`, of p's sizes, the parameter. It is a new start unless it is what the average is already.
  virtual void load(const Tensor& p, const Tensor& value) = 0;
};

inline std::shared_ptr<WeightView> weight_view(const Tensor& p) {
  if (!p.defined() || !p.impl()->extras) return nullptr;
  return p.impl()->extras->weight_view.lock();
}

inline void show_weights(const Tensor& p, bool averaged) {
  if (const auto view = weight_view(p)) view->show(p, averaged);
}

// What stands for p in checkpoints and copies.
inline Tensor resulting_weights(const Tensor& p) {
  const auto view = weight_view(p);
  const Tensor averaged = view ? view->averaged(p) : Tensor();
  return averaged.defined() ? averaged : p.detach();
}

}  // namespace gradus::detail
