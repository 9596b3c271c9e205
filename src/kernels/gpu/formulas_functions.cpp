// Roots, exponentials, logarithms, and functions of angles.
#include "kernels/formulas/exponential.h"
#include "kernels/formulas/trigonometric.h"
#include "kernels/gpu/elementwise_of.h"

namespace gradus::gpu {

using namespace ops;

std::span<const ElementwiseEntry> function_formulas() {
  static const Formulas all = [] {
    Formulas f;
    f.add_unary<Exp>();
    f.add_unary<Expm1>();
    f.add_unary<Log>();
    f.add_unary<Log1p>();
    f.add_unary<Log2>();
    f.add_unary<Log10>();
    f.add_unary<Sqrt>();
    f.add_unary<Rsqrt>();
    f.add_unary<Square>();
    f.add_unary<Reciprocal>();
    f.add_unary<Sin>();
    f.add_unary<Cos>();
    f.add_unary<Tan>();
    f.add_unary<Atan>();
    f.add_unary<Tanh>();
    f.add_unary<Erf>();
    f.add_binary<Atan2>();
    return f;
  }();
  return all.entries();
}

}  // namespace gradus::gpu
