#include <gradus/nn/chain.h>
#include <gradus/nn/containers.h>

#include <algorithm>

namespace gradus::nn {

namespace {

// `places` is `size`, or one more where the end counts.
std::size_t wrapped(const std::string& type, std::int64_t index, std::size_t size, std::size_t places) {
  const auto n = static_cast<std::int64_t>(size), last = static_cast<std::int64_t>(places) - 1;
  if (places == 0) throw IndexError(type + ": is empty, got index " + std::to_string(index));
  if (index < -n || index > last) {
    throw IndexError(type + ": the index must be in [" + std::to_string(-n) + ", " + std::to_string(last) + "], got " +
                     std::to_string(index));
  }
  return static_cast<std::size_t>(index < 0 ? index + n : index);
}

ModuleRef named(const char* type, Module& container, const std::string& name) {
  const auto& children = container.state()->children;
  for (std::size_t i = 0; i < children.size(); ++i)
    if (children[i].name == name) return {container, i};
  throw ValueError(std::string(type) + ": no module is named '" + name + "'");
}

}  // namespace

ModuleRef detail::IndexedModules::operator[](std::int64_t index) {
  return {*this, wrapped(type_name(), index, size(), size())};
}

std::size_t detail::IndexedModules::place_of_new(std::int64_t index) const {
  return wrapped(type_name() + ".insert", index, size(), size() + 1);
}

std::shared_ptr<Module> detail::IndexedModules::pop(std::int64_t index) {
  return take_child(wrapped(type_name() + ".pop", index, size(), size()));
}

Tensor Sequential::forward(const Tensor& x) {
  const std::vector<Module*> modules = children();
  return chain(x, std::span<Module* const>(modules));
}

ModuleRef Sequential::operator[](const std::string& name) { return named("Sequential", *this, name); }

Sequential Sequential::slice(std::int64_t start, std::int64_t end) const {
  const auto n = static_cast<std::int64_t>(size());
  const auto place = [n](std::int64_t i) { return std::clamp(i < 0 ? i + n : i, std::int64_t{0}, n); };
  Sequential part;
  // The entries themselves: the modules keep the paths they have in this one.
  for (std::int64_t i = place(start); i < place(end); ++i)
    part.state()->children.push_back(state()->children[static_cast<std::size_t>(i)]);
  return part;
}

bool ModuleDict::contains(const std::string& name) const {
  for (const auto& child : state()->children)
    if (child.name == name) return true;
  return false;
}

std::vector<std::string> ModuleDict::keys() const {
  std::vector<std::string> names;
  for (const auto& child : state()->children) names.push_back(child.name);
  return names;
}

ModuleRef ModuleDict::operator[](const std::string& name) { return named("ModuleDict", *this, name); }

std::shared_ptr<Module> ModuleDict::pop(const std::string& name) {
  for (std::size_t i = 0; i < size(); ++i)
    if (state()->children[i].name == name) return take_child(i);
  throw ValueError("ModuleDict.pop: no module is named '" + name + "'");
}

ParameterList::ParameterList(const std::vector<Tensor>& tensors) : ParameterList() { extend(tensors); }

ParameterList& ParameterList::extend(const std::vector<Tensor>& tensors) {
  for (const Tensor& x : tensors) append(x);
  return *this;
}

ParameterList& ParameterList::append(const Tensor& x) {
  static_cast<void>(add(std::to_string(size()), Parameter(x, x.requires_grad() || x.is_leaf())));
  return *this;
}

const Tensor ParameterList::operator[](std::int64_t index) const {
  return state()->parameter(wrapped("ParameterList", index, size(), size()));
}

}  // namespace gradus::nn
