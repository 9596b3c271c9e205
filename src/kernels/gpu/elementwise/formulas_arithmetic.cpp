// Arithmetic, powers, rounding, and choosing between elements.
#include "kernels/formulas/arithmetic.h"
#include "kernels/formulas/choice.h"
#include "kernels/formulas/power.h"
#include "kernels/formulas/rounding.h"
#include "kernels/gpu/elementwise/elementwise_of.h"

namespace gradus::gpu {

using namespace ops;

std::span<const ElementwiseEntry> arithmetic_formulas() {
  static const Formulas all = [] {
    Formulas f;
    f.add_binary<Add>();
    f.add_with_number<Add>();
    f.add_number_with<Add>();
    f.add_binary<Mul>();
    f.add_with_number<Mul>();
    f.add_binary<Div>();
    f.add_with_number<Div>();
    f.add_number_with<Div>();
    f.add_binary<Remainder>();
    f.add_binary<FloorDivide>();
    f.add_unary<PowNumber>();
    f.add_unary<PowZero>();
    f.add_unary<PowOne>();
    f.add_unary<Cube>();
    f.add_binary<Pow>();
    f.add_unary<Neg>();
    f.add_unary<Abs>();
    f.add_unary<Sign>();
    f.add_unary<Floor>();
    f.add_unary<Ceil>();
    f.add_unary<Round>();
    f.add_types<Select, 3, Types::all>();
    f.add_binary<Mask<true>>();
    f.add_binary<Mask<false>>();
    f.add_types<Share<1>, 3>();
    f.add_types<Share<-1>, 3>();
    f.add_binary<Extremum<1>>();
    f.add_binary<Extremum<-1>>();
    f.add_unary<Clamp>();
    f.add_binary<Lerp>();
    return f;
  }();
  return all.entries();
}

}  // namespace gradus::gpu
