// Activations, losses, and what is made of sums.
#include "kernels/formulas/activation.h"
#include "kernels/formulas/further_activation.h"
#include "kernels/formulas/losses.h"
#include "kernels/formulas/moments.h"
#include "kernels/formulas/rectifiers.h"
#include "kernels/gpu/elementwise/elementwise_of.h"

namespace gradus::gpu {

using namespace ops;

std::span<const ElementwiseEntry> activation_formulas() {
  static const Formulas all = [] {
    Formulas f;
    f.add_unary<Relu>();
    f.add_unary<LeakyRelu>();
    f.add_unary<LeakyReluOfResult>();
    f.add_unary<Hardtanh>();
    f.add_unary<Elu>();
    f.add_unary<Sigmoid>();
    f.add_unary<Silu>();
    f.add_unary<LogSigmoid>();
    f.add_unary<Softplus>();
    f.add_unary<Gelu>();
    f.add_unary<GeluTanh>();
    f.add_unary<Selu>();
    f.add_unary<Celu>();
    f.add_unary<Mish>();
    f.add_unary<Hardswish>();
    f.add_unary<Hardsigmoid>();
    f.add_unary<Softshrink>();
    f.add_unary<Hardshrink>();
    f.add_unary<Threshold>();
    f.add_binary<Gated>();
    f.add_binary<SquaredError>();
    f.add_binary<AbsoluteError>();
    f.add_binary<Huber>();
    f.add_binary<SmoothL1>();
    f.add_binary<Divergence>();
    f.add_binary<Bce>();
    f.add_binary<BceWithLogits>();
    f.add<InverseRoot, double, double, 1>();
    f.add_unary<DivideBy>();
    f.add_unary<OfMeanSquare>();
    return f;
  }();
  return all.entries();
}

}  // namespace gradus::gpu
