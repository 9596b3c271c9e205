#include <gradus/autograd.h>
#include <gradus/core/pattern.h>
#include <gradus/nn/freeze.h>
#include <gradus/nn/parametrize.h>

#include "nn/module/paths.h"
#include "nn/parametrize/computed.h"

namespace gradus::nn {

using detail::ComputedParameters;

Tensor Parametrization::compute(const std::vector<Tensor>& originals) {
  if (originals.size() != 1) {
    throw ValueError(type_name() + ": takes one original, got " + std::to_string(originals.size()));
  }
  return forward(originals[0]);
}

std::vector<Tensor> Parametrization::right_inverse(const Tensor& value) { return {value}; }

namespace {

std::string described(const Tensor& x) {
  return std::string(to_string(x.dtype())) + " " + gradus::to_string(x.sizes());
}

void check_like(const Module& parametrization, const char* what, const Tensor& got, const Tensor& wanted) {
  if (got.defined() && got.sizes() == wanted.sizes() && got.dtype() == wanted.dtype()) return;
  throw ValueError("register_parametrization: " + std::string(what) + " of " + parametrization.type_name() +
                   " must have the type and the sizes of the parameter, " + described(wanted) + ", got " +
                   (got.defined() ? described(got) : "an undefined tensor") + "; unsafe = true allows it");
}

// The parameter itself where there is one original of its sizes, so that whoever holds it keeps the right one.
std::vector<Tensor> as_originals(const Tensor& parameter, const std::vector<Tensor>& values) {
  if (values.size() == 1 && values[0].sizes() == parameter.sizes() && values[0].dtype() == parameter.dtype()) {
    if (!values[0].is_same(parameter)) Tensor(parameter).detach().copy_(values[0]);
    return {parameter};
  }
  std::vector<Tensor> originals;
  for (const Tensor& value : values) {
    const bool floating = value.is_floating_point();
    Tensor x = Parameter(value.detach().clone(), floating && (parameter.requires_grad() || is_frozen(parameter)));
    if (floating && is_frozen(parameter)) freeze(x);
    originals.push_back(x);
  }
  return originals;
}

}  // namespace

void detail::register_parametrization(Module& module, const std::string& name, std::shared_ptr<Module> given,
                                      bool unsafe) {
  const std::size_t place = ComputedParameters::place_of("register_parametrization", module, name);
  const Tensor parameter = module.state()->parameter(place);
  ParametrizationList* list = ComputedParameters::list(module, name);
  const auto inverted = [&](const Tensor& value) {
    const NoGrad guard;
    auto* known = given->as<Parametrization>();
    return known != nullptr ? known->right_inverse(value.detach()) : std::vector<Tensor>{value};
  };
  const auto checked = [&](const std::vector<Tensor>& originals) {
    const NoGrad guard;
    const Tensor value = run_parametrization(*given, originals);
    if (!unsafe) check_like(*given, "the result", value, parameter);
  };
  if (list != nullptr) {
    checked({parameter.detach()});
    ComputedParameters::append(*list, std::move(given));
    ComputedParameters::show(module, place, list->value());
    return;
  }
  const std::vector<Tensor> values = inverted(parameter);
  if (values.empty()) {
    throw ValueError("register_parametrization: right_inverse of " + given->type_name() + " returned no tensor");
  }
  if (values.size() == 1 && !unsafe) check_like(*given, "right_inverse", values[0], parameter);
  checked(values);
  ParametrizationList made;
  ComputedParameters::add_originals(made, as_originals(parameter, values));
  ComputedParameters::append(made, std::move(given));
  ComputedParameters::begin(module, place, std::move(made));
}

bool is_parametrized(const Module& module, const std::string& name) {
  return name.empty() ? module.state()->computes() : ComputedParameters::list(module, name) != nullptr;
}

Module& remove_parametrizations(Module& module, const std::string& name, bool leave_parametrized) {
  ParametrizationList* list = ComputedParameters::list(module, name);
  if (list == nullptr) {
    throw ValueError("remove_parametrizations: no parametrization of " + module.type_name() + " computes '" + name +
                     "'");
  }
  const std::size_t place = ComputedParameters::place_of("remove_parametrizations", module, name);
  const std::vector<Tensor> originals = list->originals();
  if (!leave_parametrized && originals.size() != 1) {
    throw ValueError("remove_parametrizations: leave_parametrized = false needs one original, '" + name + "' of " +
                     module.type_name() + " has " + std::to_string(originals.size()));
  }
  const NoGrad guard;
  Tensor left = originals[0];
  if (leave_parametrized) {
    const Tensor value = list->value().detach();
    if (originals.size() == 1 && left.sizes() == value.sizes() && left.dtype() == value.dtype()) {
      left.detach().copy_(value);
    } else {
      left = Parameter(value.clone(), originals[0].requires_grad() || is_frozen(originals[0]));
      if (is_frozen(originals[0])) freeze(left);
    }
  }
  ComputedParameters::end(module, place, left);
  return module;
}

std::vector<std::string> parametrize(Module& module, const std::string& pattern, const Parametrize& fn) {
  std::vector<std::pair<Module*, std::string>> found;
  std::vector<std::string> names;
  for (const auto& [path, part] : module.named_modules()) {
    if (dynamic_cast<ParametrizationList*>(part) != nullptr) continue;
    const auto& parameters = part->state()->parameters;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const std::string full = joined(path, parameters[i].first);
      if (!part->state()->parameter(i).defined() || !matches(pattern, full)) continue;
      found.emplace_back(part, parameters[i].first);
      names.push_back(full);
    }
  }
  if (found.empty()) {
    throw ValueError("parametrize: no parameter of " + module.type_name() + " matches '" + pattern + "'");
  }
  for (const auto& [part, name] : found) fn(*part, name);
  return names;
}

Tensor Symmetric::forward(const Tensor& x) {
  if (x.dim() < 2 || x.size(-1) != x.size(-2)) {
    throw ShapeError("Symmetric: needs square matrices, got " + gradus::to_string(x.sizes()));
  }
  return triu(x) + transpose(triu(x, 1), -1, -2);
}

std::vector<Tensor> Symmetric::right_inverse(const Tensor& value) { return {triu(value)}; }

Module& symmetric(Module& module, const std::string& name) {
  return register_parametrization(module, name, Symmetric());
}

}  // namespace gradus::nn
