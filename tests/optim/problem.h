// The problem that optimizers run on in tests/traces/optim_family.json, whose "about" describes it.
#pragma once

#include <gradus/optim.h>

#include <nlohmann/json.hpp>

namespace gradus::test {

struct Problem {
  struct Parameter {
    std::string name;
    Shape shape;
    std::size_t group;
    bool frozen;
    int first;  // the step with its first gradient
    std::vector<double> start, target;
  };
  std::vector<Parameter> parameters;
  double frequency;

  // `layout`: "parameters" or "matrices".
  Problem(const nlohmann::json& trace, const std::string& layout);

  double gradient(std::size_t k, std::size_t i, int t, double p) const;
  // What that is the gradient of, over all parameters that have one at step t.
  double loss(const std::vector<Tensor>& tensors, int t) const;
  bool has_gradient(std::size_t k, int t) const { return !parameters[k].frozen && t >= parameters[k].first; }

  std::vector<Tensor> tensors() const;
  std::vector<optim::Params> groups(const std::vector<Tensor>& tensors) const;
  // The gradients of step t, or minus them, as the tensors' own.
  void set_gradients(std::vector<Tensor>& tensors, int t, bool maximize) const;
  // All elements of all parameters but the frozen one.
  std::vector<double> values(const std::vector<Tensor>& tensors) const;
};

const nlohmann::json& family_trace();

}  // namespace gradus::test
