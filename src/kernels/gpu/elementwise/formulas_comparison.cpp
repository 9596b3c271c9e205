// Comparisons and questions about elements.
#include "kernels/formulas/comparison.h"
#include "kernels/gpu/elementwise/elementwise_of.h"

namespace gradus::gpu {

using namespace ops;

std::span<const ElementwiseEntry> comparison_formulas() {
  static const Formulas all = [] {
    Formulas f;
    f.add_comparison<Eq>();
    f.add_comparison<Ne>();
    f.add_comparison<Lt>();
    f.add_comparison<Le>();
    f.add_comparison<Gt>();
    f.add_comparison<Ge>();
    f.add_predicate<LogicalAnd, 2>();
    f.add_predicate<LogicalOr, 2>();
    f.add_predicate<LogicalXor, 2>();
    f.add_predicate<LogicalNot, 1>();
    f.add_predicate<IsNan, 1>();
    f.add_predicate<IsInf, 1>();
    f.add_predicate<IsFinite, 1>();
    f.add_predicate<IsClose, 2>();
    return f;
  }();
  return all.entries();
}

}  // namespace gradus::gpu
