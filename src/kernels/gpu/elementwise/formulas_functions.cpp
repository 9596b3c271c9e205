// Roots, exponentials, logarithms, functions of angles, special functions, and parts of numbers.
#include "kernels/formulas/angles.h"
#include "kernels/formulas/exponential.h"
#include "kernels/formulas/logs.h"
#include "kernels/formulas/parts.h"
#include "kernels/formulas/special.h"
#include "kernels/formulas/trigonometric.h"
#include "kernels/gpu/elementwise/elementwise_of.h"

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
    f.add_unary<Asin>();
    f.add_unary<Acos>();
    f.add_unary<Sinh>();
    f.add_unary<Cosh>();
    f.add_unary<Asinh>();
    f.add_unary<Acosh>();
    f.add_unary<Atanh>();
    f.add_unary<Erfc>();
    f.add_unary<Erfinv>();
    f.add_unary<Lgamma>();
    f.add_unary<Digamma>();
    f.add_unary<Polygamma>();
    f.add_unary<Logit>();
    f.add_unary<Trunc>();
    f.add_binary<LogAddExp<false>>();
    f.add_binary<LogAddExp<true>>();
    f.add_binary<XLogY>();
    f.add_binary<Hypot>();
    f.add_binary<Fmod>();
    f.add_binary<Copysign>();
    f.add_binary<BitwiseAnd>();
    f.add_binary<BitwiseOr>();
    f.add_binary<BitwiseXor>();
    f.add_binary<LeftShift>();
    f.add_binary<RightShift>();
    f.add_predicate<Signbit, 1>();
    return f;
  }();
  return all.entries();
}

}  // namespace gradus::gpu
