// What an optimizer is: a rule.
//
// A rule is RuleOf<Options>, written in one file of src/optim with one line that instantiates its optimizer:
//
//   template <>
//   struct RuleOf<LionOptions> {
//     static constexpr const char* name = "Lion";
//     static constexpr auto options = std::tuple{Field{"lr", &LionOptions::lr, 1e-4, at_least(0)}, ...};
//     static std::vector<const char*> state(const LionOptions&) { return {"exp_avg"}; }
//     RuleOf(const LionOptions& o, Moment& now);               // the numbers that an update needs
//     template <class T> GRADUS_INLINE void update(T& p, T g, T& m) const { ... }   // one element
//   };
//   template class OptimizerOf<LionOptions>;
//
// Optional, for the state:
//   static std::vector<const char*> state(const Options&, const Tensor& p);   where the names depend on the parameter
//   static double initial(const Options&, const char* state);                 what a new tensor is filled with
//   static Shape sizes(const Tensor& p, const char* state);                   its sizes, if they are not p's
//   static Dtype dtype(const Tensor& p, const char* state);                   its type, if it is not p's
//   static constexpr std::array quantised{true, false};    state in 8 bits: whether each tensor has a sign
//                                                          (kernels/dispatch/update_loop.h)
//   static bool fits(const Tensor& p, const char* state, const Shape& sizes);  whether a loaded tensor may have them
//   static constexpr std::array numbers{Number{"mu_product", 1.0}};
//       state that is a number, with its initial value; the rule's constructor changes it in `Moment& now`
// Checks of options and parameters; these return the rule that is broken, or null:
//   static const char* check(const Options&);
//   static const char* check_parameter(const Options&, const Tensor& p);
// Instead of `update`:
//   static void update_whole(const Options&, Moment&, Tensor& p, const Tensor& g, std::span<Tensor> state);
//       for a rule that sees a parameter as a whole (p and g are contiguous)
//   static bool whole(const Options&, const Tensor& p);
//       which of the two, where a rule has both
//   static void update_all(const Options&, std::vector<Entry>&, double loss, const std::function<Tensor()>& closure);
//       for a rule that sees all parameters at once, and evaluates the loss as often as it likes; it has one group,
//       and makes its state itself
// For a rule that keeps an average of each parameter, which evaluation, checkpoints and copies see
// (core/weight_view.h):
//   static constexpr std::array points{"x", "z"};
//       the average's name in the state, and the name of what it averages
//   static void show_training(const Options&, Tensor& p, const Tensor& x, const Tensor& z);
//       puts back the point that trains
#pragma once

#include <gradus/optim/optimizer.h>

#include <array>

#include "core/visit.h"
#include "kernels/dispatch/kernels.h"
#include "kernels/dispatch/update_loop.h"
#include "optim/engine/options.h"

namespace gradus::optim {

template <class Options>
struct RuleOf;

struct Number {
  const char* name;
  double initial;
};

using kernel::kMaxState;
using kernel::Piece;
inline constexpr int kMaxNumbers = 7;
using Numbers = std::array<double, kMaxNumbers>;

// When an update happens, for one parameter.
struct Moment {
  std::int64_t step = 1;  // its updates, this one included
  bool fresh = true;      // its state was made just now, and is zero
  Numbers numbers{};      // its numbers; a rule may change them as it is prepared
};

namespace detail {
// Where x's elements lie, for a loop over n of `dtype`. ValueError where x is something else.
void* elements(const Tensor& x, Dtype dtype, std::int64_t n);
}  // namespace detail

// One parameter's update by a rule, for rules that see it as a whole: `rule.update(p, g, state...)` for each element.
template <class Rule, class... State>
void update_elements(const Rule& rule, Tensor& p, const Tensor& g, const State&... state) {
  const auto data = [&](const Tensor& x) { return detail::elements(x, p.dtype(), p.numel()); };
  const Piece piece{data(p), data(g), {data(state)...}, p.numel(), 0};
  visit<float, double>("optimizer", p.dtype(), [&]<class T>(T) {
    kernels(p.device()).update({&piece, 1}, kernel::rules_of<Rule, T>({&rule, 1}, sizeof...(State)));
  });
}

}  // namespace gradus::optim
