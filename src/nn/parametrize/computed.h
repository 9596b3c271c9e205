// Parameters that calls compute: how a module and the originals of its parameters are connected.
#pragma once

#include <gradus/nn/parametrize.h>

namespace gradus::nn::detail {

struct __attribute__((visibility("hidden"))) ComputedParameters {
  // The lists of the module's computed parameters by name; null where it has none.
  static ModuleDict* lists(const Module& module);
  static ParametrizationList* list(const Module& module, const std::string& name);

  // Turns the parameter at a place into one that `list` computes, and back into `parameter`.
  static void begin(Module& module, std::size_t place, ParametrizationList list);
  static void end(Module& module, std::size_t place, const Tensor& parameter);

  // For a child that is not a C++ member.
  static void erase_child(Module& module, const std::string& name);

  static void compute(Module& module);
  static void show(Module& module, std::size_t place, const Tensor& value);
  static void append(ParametrizationList& list, std::shared_ptr<Module> parametrization);
  static void add_originals(ParametrizationList& list, const std::vector<Tensor>& originals);
  // Makes `value` the result of the list.
  static void assign(Module& module, std::size_t place, const Tensor& value);

  // Names in state dicts, and what older files have instead.
  static std::vector<std::pair<std::string, std::string>> older_names(Module& root);

  static std::size_t place_of(const char* call, const Module& module, const std::string& name);
};

// One parametrization: of the result of the one before it, or of the originals.
Tensor run_parametrization(Module& parametrization, const std::vector<Tensor>& inputs);

}  // namespace gradus::nn::detail
