// Derivatives of functions, as torch.autograd.functional: Jacobians, Hessians and their products with vectors.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include <gradus/autograd.h>

// Each comes in two forms: for a function of one tensor that returns one, and for a function of several that returns
// one or several. A function must compute its result from the tensors that it is given. Gradients of other tensors are
// left alone.
//
//   using namespace gradus::autograd::functional;
//   Tensor j = jacobian([](const Tensor& x) { return exp(x).sum(1); }, x);
//
// create_graph: the results can be differentiated again, also with respect to inputs that require a gradient. strict:
// AutogradError where a result does not depend on an input, instead of zeros.
namespace gradus::autograd::functional {

using Function = std::function<Tensor(const Tensor&)>;
using FunctionOfSeveral = std::function<Tensors(const std::vector<Tensor>&)>;
using Pair = std::pair<Tensor, Tensor>;
using Pairs = std::pair<std::vector<Tensor>, std::vector<Tensor>>;

// The derivative of each element of each output with respect to each element of each input: [i][j] has the sizes of
// output i followed by those of input j.
Tensor jacobian(const Function& func, const Tensor& input, bool create_graph = false, bool strict = false);
std::vector<std::vector<Tensor>> jacobian(const FunctionOfSeveral& func, const std::vector<Tensor>& inputs,
                                          bool create_graph = false, bool strict = false);

// The second derivatives of a function with a single number as its result: [i][j] has the sizes of input i followed by
// those of input j.
Tensor hessian(const Function& func, const Tensor& input, bool create_graph = false, bool strict = false);
std::vector<std::vector<Tensor>> hessian(const FunctionOfSeveral& func, const std::vector<Tensor>& inputs,
                                         bool create_graph = false, bool strict = false);

// The function's result, and v times its Jacobian: v has the sizes of the outputs, the product those of the inputs. v
// may be left out where the only output is a single number.
Pair vjp(const Function& func, const Tensor& input, const Tensor& v = Tensor(), bool create_graph = false,
         bool strict = false);
Pairs vjp(const FunctionOfSeveral& func, const std::vector<Tensor>& inputs, const std::vector<Tensor>& v = {},
          bool create_graph = false, bool strict = false);

// The function's result, and its Jacobian times v: v has the sizes of the inputs, the product those of the outputs. v
// may be left out where the only input is a single number. Computed as a gradient of vjp with respect to its v.
Pair jvp(const Function& func, const Tensor& input, const Tensor& v = Tensor(), bool create_graph = false,
         bool strict = false);
Pairs jvp(const FunctionOfSeveral& func, const std::vector<Tensor>& inputs, const std::vector<Tensor>& v = {},
          bool create_graph = false, bool strict = false);

// The result of a function that returns a single number, and v times its Hessian, which has the sizes of the inputs, as
// v has. hvp is the Hessian times v: the same numbers, as the Hessian is symmetric.
Pair vhp(const Function& func, const Tensor& input, const Tensor& v = Tensor(), bool create_graph = false,
         bool strict = false);
Pairs vhp(const FunctionOfSeveral& func, const std::vector<Tensor>& inputs, const std::vector<Tensor>& v = {},
          bool create_graph = false, bool strict = false);
Pair hvp(const Function& func, const Tensor& input, const Tensor& v = Tensor(), bool create_graph = false,
         bool strict = false);
Pairs hvp(const FunctionOfSeveral& func, const std::vector<Tensor>& inputs, const std::vector<Tensor>& v = {},
          bool create_graph = false, bool strict = false);

}  // namespace gradus::autograd::functional
