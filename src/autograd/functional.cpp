// jacobian, hessian, vjp, jvp, vhp and hvp.
#include <gradus/autograd/functional.h>
#include <gradus/ops.h>

namespace gradus::autograd::functional {

namespace {

using List = std::vector<Tensor>;

// One of the functions at work: how its name and its options tell in errors, and what it does to inputs and results.
struct Call {
  const char* name;
  bool create_graph, strict;

  [[noreturn]] void refuse(const std::string& rule) const { throw ValueError(std::string(name) + ": " + rule); }

  // What func is called with: in the caller's graph where that goes on, else the beginning of one of its own.
  List prepared(const List& inputs) const {
    if (inputs.empty()) refuse("needs at least one input");
    List own;
    for (const Tensor& x : inputs) {
      if (!x.is_floating_point()) refuse("inputs must be floating-point, got " + std::string(to_string(x.dtype())));
      own.push_back(create_graph && x.requires_grad() ? alias(x) : x.detach().requires_grad_());
    }
    return own;
  }

  List outputs_of(const FunctionOfSeveral& func, const List& inputs) const {
    List outputs = func(inputs);
    if (outputs.empty()) refuse("the function must return at least one tensor");
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (!outputs[i].defined()) refuse("the function returned an undefined tensor");
      if (strict && !outputs[i].requires_grad()) independent("output " + std::to_string(i) + " depends on no input");
    }
    return outputs;
  }

  // The output of a function that has a single number as its result, 0-d.
  Tensor number_of(const FunctionOfSeveral& func, const List& inputs) const {
    const List outputs = outputs_of(func, inputs);
    if (outputs.size() != 1 || outputs[0].numel() != 1) {
      refuse("the function must return a tensor of one element, got " + std::to_string(outputs.size()) +
             " tensors, the first of sizes " + to_string(outputs[0].sizes()));
    }
    return reshape(outputs[0], {});
  }

  // The vector of a product: of the sizes of `like`, or, where none is given, 1 for a single number.
  List vector(const List& v, const List& like, const char* what) const {
    if (v.empty() || (v.size() == 1 && !v[0].defined())) {
      if (like.size() != 1 || like[0].numel() != 1) {
        refuse(std::string("v may be left out only for a single ") + what + " of one element");
      }
      return {ones_like(like[0])};
    }
    if (v.size() != like.size()) {
      refuse(std::string("v must have a tensor for each ") + what + ", got " + std::to_string(v.size()) + " for " +
             std::to_string(like.size()));
    }
    for (std::size_t i = 0; i < v.size(); ++i) {
      if (v[i].sizes() == like[i].sizes()) continue;
      throw ShapeError(std::string(name) + ": v must have the sizes of its " + what + ", " +
                       to_string(like[i].sizes()) + ", got " + to_string(v[i].sizes()) + " at position " +
                       std::to_string(i));
    }
    return v;
  }

  // Zeros stand for derivatives that do not exist because nothing depends on an input.
  List completed(List gradients, const List& like) const {
    for (std::size_t i = 0; i < like.size(); ++i) {
      if (strict && (!gradients[i].defined() || (create_graph && !gradients[i].requires_grad())))
        independent("the derivative is independent of input " + std::to_string(i));
      if (!gradients[i].defined()) gradients[i] = zeros_like(like[i]);
    }
    return gradients;
  }

  [[noreturn]] void independent(const std::string& what) const {
    throw AutogradError(std::string(name) + ": " + what + ", which strict refuses");
  }

  List finished(List results) const {
    if (!create_graph)
      for (Tensor& x : results) x = x.detach();
    return results;
  }
};

// The gradients, of which some may be undefined, of those outputs that have any.
List gradients(const List& outputs, const List& inputs, const List& v, bool create_graph) {
  List from, with;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].defined() || !outputs[i].requires_grad()) continue;
    from.push_back(outputs[i]);
    with.push_back(v[i]);
  }
  if (from.empty()) return List(inputs.size());
  return grad(from, inputs, with, {.retain_graph = true, .create_graph = create_graph, .allow_unused = true});
}

// The rows of the Jacobian of one output, stacked for each of the inputs.
List jacobian_of(const Call& call, const Tensor& y, const List& xs) {
  std::vector<List> rows(xs.size());
  for (std::int64_t j = 0; j < y.numel(); ++j) {
    const Tensor unit = zeros({y.numel()}, {.dtype = y.dtype(), .device = y.device()});
    unit.narrow(0, j, 1).fill_(1);
    const List row = call.completed(gradients({y}, xs, {unit.view(y.sizes())}, call.create_graph), xs);
    for (std::size_t i = 0; i < xs.size(); ++i) rows[i].push_back(row[i]);
  }
  List result;
  for (std::size_t i = 0; i < xs.size(); ++i) {
    Shape sizes = y.sizes();
    for (const std::int64_t size : xs[i].sizes()) sizes.push_back(size);
    result.push_back(rows[i].empty() ? zeros(sizes, {.dtype = xs[i].dtype(), .device = xs[i].device()})
                                     : reshape(stack(rows[i]), sizes));
  }
  return call.finished(result);
}

Pairs hessian_product(const Call& call, const FunctionOfSeveral& func, const List& inputs, const List& v) {
  const EnableGrad guard;
  const List xs = call.prepared(inputs), vs = call.vector(v, xs, "input");
  const Tensor y = call.number_of(func, xs);
  const List slopes = gradients({y}, xs, {ones_like(y)}, true);
  return {call.finished({y}), call.finished(call.completed(gradients(slopes, xs, vs, call.create_graph), xs))};
}

FunctionOfSeveral several(const Function& func) {
  return [&func](const List& xs) -> Tensors { return func(xs[0]); };
}

List listed(const Tensor& v) { return v.defined() ? List{v} : List{}; }

Pair single(const Pairs& pairs) { return {pairs.first[0], pairs.second[0]}; }

}  // namespace

std::vector<List> jacobian(const FunctionOfSeveral& func, const List& inputs, bool create_graph, bool strict) {
  const EnableGrad guard;
  const Call call{"jacobian", create_graph, strict};
  const List xs = call.prepared(inputs);
  std::vector<List> result;
  for (const Tensor& y : call.outputs_of(func, xs)) result.push_back(jacobian_of(call, y, xs));
  return result;
}

std::vector<List> hessian(const FunctionOfSeveral& func, const List& inputs, bool create_graph, bool strict) {
  const Call inner{"hessian", true, strict}, outer{"hessian", create_graph, strict};
  const EnableGrad guard;
  const List xs = outer.prepared(inputs);
  const List slopes = jacobian_of(inner, inner.number_of(func, xs), xs);
  std::vector<List> result;
  for (const Tensor& slope : slopes) result.push_back(jacobian_of(outer, slope, xs));
  return result;
}

Pairs vjp(const FunctionOfSeveral& func, const List& inputs, const List& v, bool create_graph, bool strict) {
  const EnableGrad guard;
  const Call call{"vjp", create_graph, strict};
  const List xs = call.prepared(inputs), ys = call.outputs_of(func, xs);
  const List vs = call.vector(v, ys, "output");
  return {call.finished(ys), call.finished(call.completed(gradients(ys, xs, vs, create_graph), xs))};
}

Pairs jvp(const FunctionOfSeveral& func, const List& inputs, const List& v, bool create_graph, bool strict) {
  const EnableGrad guard;
  const Call call{"jvp", create_graph, strict};
  const List xs = call.prepared(inputs), vs = call.vector(v, xs, "input");
  const List ys = call.outputs_of(func, xs);
  // u J is linear in u: its gradient with respect to u, weighed with v, is J v.
  List us;
  for (const Tensor& y : ys) {
    const Dtype dtype = y.is_floating_point() ? y.dtype() : kFloat32;
    us.push_back(zeros(y.sizes(), {.dtype = dtype, .device = y.device()}).requires_grad_());
  }
  const List products = gradients(ys, xs, us, true);
  List result = gradients(products, us, vs, create_graph);
  for (std::size_t i = 0; i < ys.size(); ++i) {
    if (strict && !result[i].defined()) call.independent("output " + std::to_string(i) + " depends on no input");
    if (!result[i].defined()) result[i] = zeros_like(ys[i]);
  }
  return {call.finished(ys), call.finished(result)};
}

Pairs vhp(const FunctionOfSeveral& func, const List& inputs, const List& v, bool create_graph, bool strict) {
  return hessian_product({"vhp", create_graph, strict}, func, inputs, v);
}

Pairs hvp(const FunctionOfSeveral& func, const List& inputs, const List& v, bool create_graph, bool strict) {
  return hessian_product({"hvp", create_graph, strict}, func, inputs, v);
}

Tensor jacobian(const Function& func, const Tensor& input, bool create_graph, bool strict) {
  return jacobian(several(func), {input}, create_graph, strict)[0][0];
}

Tensor hessian(const Function& func, const Tensor& input, bool create_graph, bool strict) {
  return hessian(several(func), {input}, create_graph, strict)[0][0];
}

Pair vjp(const Function& func, const Tensor& input, const Tensor& v, bool create_graph, bool strict) {
  return single(vjp(several(func), {input}, listed(v), create_graph, strict));
}

Pair jvp(const Function& func, const Tensor& input, const Tensor& v, bool create_graph, bool strict) {
  return single(jvp(several(func), {input}, listed(v), create_graph, strict));
}

Pair vhp(const Function& func, const Tensor& input, const Tensor& v, bool create_graph, bool strict) {
  return single(vhp(several(func), {input}, listed(v), create_graph, strict));
}

Pair hvp(const Function& func, const Tensor& input, const Tensor& v, bool create_graph, bool strict) {
  return single(hvp(several(func), {input}, listed(v), create_graph, strict));
}

}  // namespace gradus::autograd::functional
