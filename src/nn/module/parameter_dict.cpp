#include <gradus/nn/parameter_dict.h>

namespace gradus::nn {

namespace {

// Its place, or the number of parameters.
std::size_t place_of(const detail::ModuleState& state, const std::string& name) {
  std::size_t i = 0;
  while (i < state.parameters.size() && state.parameters[i].first != name) ++i;
  return i;
}

std::size_t known_place(const char* call, const detail::ModuleState& state, const std::string& name) {
  const std::size_t i = place_of(state, name);
  if (i == state.parameters.size()) throw ValueError(std::string(call) + ": no parameter is named '" + name + "'");
  return i;
}

}  // namespace

ParameterDict& ParameterDict::set(const std::string& name, const Tensor& x) {
  const Parameter parameter(x, x.requires_grad() || x.is_leaf());
  const std::size_t i = place_of(*state(), name);
  if (i == size()) {
    static_cast<void>(add(name, parameter));
  } else {
    if (state()->computes())
      throw ValueError("ParameterDict.set: '" + name +
                       "' cannot be replaced while parametrizations compute parameters");
    state()->parameters[i].second = parameter;
  }
  return *this;
}

ParameterDict& ParameterDict::update(const std::vector<NamedTensor>& tensors) {
  for (const auto& [name, x] : tensors) set(name, x);
  return *this;
}

bool ParameterDict::contains(const std::string& name) const { return place_of(*state(), name) < size(); }

std::vector<std::string> ParameterDict::keys() const {
  std::vector<std::string> names;
  for (const auto& [name, x] : state()->parameters) names.push_back(name);
  return names;
}

std::vector<Tensor> ParameterDict::values() const {
  std::vector<Tensor> all;
  for (std::size_t i = 0; i < size(); ++i) all.push_back(state()->parameter(i));
  return all;
}

std::vector<NamedTensor> ParameterDict::items() const {
  std::vector<NamedTensor> all;
  for (std::size_t i = 0; i < size(); ++i) all.emplace_back(state()->parameters[i].first, state()->parameter(i));
  return all;
}

const Tensor ParameterDict::operator[](const std::string& name) const {
  return state()->parameter(known_place("ParameterDict", *state(), name));
}

Tensor ParameterDict::pop(const std::string& name) {
  const std::size_t i = known_place("ParameterDict.pop", *state(), name);
  if (state()->computes())
    throw ValueError("ParameterDict.pop: '" + name + "' cannot be taken while parametrizations compute parameters");
  const Tensor x = state()->parameters[i].second;
  state()->parameters.erase(state()->parameters.begin() + static_cast<std::ptrdiff_t>(i));
  return x;
}

void ParameterDict::clear() {
  if (state()->computes()) throw ValueError("ParameterDict.clear: parametrizations compute parameters");
  state()->parameters.clear();
}

}  // namespace gradus::nn
