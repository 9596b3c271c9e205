// W5: a step of each optimizer, over ResNet-50's 161 tensors, one tensor of as many elements, and 1,000 tensors of
// 1,000.
#include <memory>
#include <string>
#include <vector>

#include "by_hand.h"
#include "ours/workloads.h"

namespace suite {
namespace {

using namespace gradus;

// The bytes that a rule must move: parameter and gradient read, the parameter written, state read and written.
template <class Options>
Case make(const std::vector<Shape>& shapes, const Options& options, int state) {
  std::vector<Tensor> parameters;
  double elements = 0;
  Generator generator(1);
  for (const Shape& shape : shapes) {
    parameters.push_back(randn(shape, {}, &generator).requires_grad_());
    parameters.back().set_grad(randn(shape, {}, &generator) * 1e-3);
    elements += static_cast<double>(parameters.back().numel());
  }
  const auto optimizer = std::make_shared<optim::OptimizerOf<Options>>(parameters, options);
  return {.step = [=] { optimizer->step(); }, .flops = 1, .bytes = elements * (12 + 8 * state)};
}

template <class Options>
void add_all(const std::string& name, int state, const Options& options = {}) {
  add("w5", {{name + "/161", [=] { return make(by_hand::resnet50(), options, state); }},
             {name + "/1", [=] { return make({Shape{by_hand::kElements}}, options, state); }},
             {name + "/1000", [=] { return make(std::vector<Shape>(1000, Shape{1000}), options, state); }}});
}

const bool added = [] {
  add_all<optim::SGDOptions>("SGD", 0);
  add_all<optim::SGDOptions>("SGD-momentum", 1, {.momentum = 0.9});
  add_all<optim::AdamOptions>("Adam", 2);
  add_all<optim::AdamWOptions>("AdamW", 2);
  add_all<optim::NAdamOptions>("NAdam", 2);
  add_all<optim::RAdamOptions>("RAdam", 2);
  add_all<optim::AdamaxOptions>("Adamax", 2);
  add_all<optim::AdagradOptions>("Adagrad", 1);
  add_all<optim::AdadeltaOptions>("Adadelta", 2);
  add_all<optim::RMSpropOptions>("RMSprop", 1);
  add_all<optim::RpropOptions>("Rprop", 2);
  add_all<optim::ASGDOptions>("ASGD", 1);
  return true;
}();

}  // namespace
}  // namespace suite
