// Automatic differentiation: what records, what does not, and gradients as values.
#pragma once

#include <optional>
#include <type_traits>
#include <vector>

#include <gradus/tensor.h>

namespace gradus {

// Whether operations on this thread record a graph.
bool is_grad_enabled();
bool is_inference_mode();

// Scopes. `NoGrad guard;` is torch.no_grad(); `EnableGrad` undoes it; each holds for its thread until the scope ends.
class GradMode {
 public:
  explicit GradMode(bool enabled);
  ~GradMode();
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool previous_;
};
class NoGrad : public GradMode {
 public:
  NoGrad() : GradMode(false) {}
};
class EnableGrad : public GradMode {
 public:
  EnableGrad() : GradMode(true) {}
};
// As NoGrad. In addition, a tensor made inside can never be saved for a backward: that is an error, not a silent
// gradient of zero.
class InferenceMode : public NoGrad {
 public:
  InferenceMode();
  ~InferenceMode();

 private:
  bool previous_;
};

namespace autograd {

// One tensor or several: `y`, `{y, z}`, or a vector.
struct Tensors : std::vector<Tensor> {
  Tensors() = default;
  Tensors(const Tensor& x) : vector{x} {}
  Tensors(std::initializer_list<Tensor> xs) : vector(xs) {}
  Tensors(std::vector<Tensor> xs) : vector(std::move(xs)) {}
};

struct GradOptions {
  std::optional<bool> retain_graph = {};  // unset: as create_graph
  bool create_graph = false;              // make the gradients differentiable themselves
  bool allow_unused = false;              // return an undefined gradient for an unused input instead of an error
};

// d(sum of outputs . grad_outputs) / d(input), for each input; nothing is accumulated in .grad. An empty
// `grad_outputs` stands for ones and needs outputs of one element. As torch.autograd.grad.
std::vector<Tensor> grad(const Tensors& outputs, const Tensors& inputs, const Tensors& grad_outputs = {},
                         const GradOptions& options = {});
// A template, so that `{}` is taken for grad_outputs.
template <class Options = GradOptions>
std::vector<Tensor> grad(const Tensors& outputs, const Tensors& inputs, const std::type_identity_t<Options>& options) {
  return grad(outputs, inputs, {}, options);
}

// Accumulates gradients of several outputs at once. As torch.autograd.backward.
void backward(const Tensors& tensors, const Tensors& gradients = {}, const BackwardOptions& options = {});

}  // namespace autograd
}  // namespace gradus
