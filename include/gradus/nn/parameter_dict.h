// Parameters by name.
#pragma once

#include <gradus/nn/module.h>

namespace gradus::nn {

// In order of insertion.
class ParameterDict : public Module {
 public:
  ParameterDict() : Module("ParameterDict") {}
  explicit ParameterDict(const std::vector<NamedTensor>& tensors) : ParameterDict() { update(tensors); }
  // Adds a parameter, or replaces the one of this name. An optimizer keeps hold of the one it was given.
  ParameterDict& set(const std::string& name, const Tensor& x);
  ParameterDict& update(const std::vector<NamedTensor>& tensors);
  std::size_t size() const { return state()->parameters.size(); }
  bool contains(const std::string& name) const;
  std::vector<std::string> keys() const;
  std::vector<Tensor> values() const;
  std::vector<NamedTensor> items() const;
  const Tensor operator[](const std::string& name) const;  // ValueError
  Tensor pop(const std::string& name);                     // removes and returns it; ValueError
  void clear();                                            // removes all
};

}  // namespace gradus::nn
