#include "recipe/language/stand_in.h"

#include <fmt/format.h>
#include <gradus/ops.h>

#include <algorithm>

namespace gradus::recipe {

namespace {

struct Known {
  const char* dataset;
  Shape sizes;
  std::int64_t classes;  // 0: not known
};

// As the files have them.
const Known* known(const std::string& dataset) {
  static const std::vector<Known> all{{"MNIST", {1, 28, 28}, 10},
                                      {"FashionMNIST", {1, 28, 28}, 10},
                                      {"CIFAR10", {3, 32, 32}, 10},
                                      {"CIFAR100", {3, 32, 32}, 100},
                                      {"ImageFolder", {3, 256, 256}, 0}};
  for (const Known& one : all)
    if (dataset == one.dataset) return &one;
  return nullptr;
}

}  // namespace

data::AnyDataset stand_in(const StandIn& wanted, const DataPart& data, const data::AnyTransform& transform) {
  const Form& form = data.dataset.row->form;
  const Known* like = known(form.name);
  if (form.name == "TextBlocks") {
    const std::int64_t length = data.dataset.fields.integer("length");
    return data::FunctionDataset(std::max<std::int64_t>(2, data.fields.integer("batch_size")),
                                 [=](std::int64_t) { return data::Sample(zeros({length}, {.dtype = kInt64})); },
                                 {.name = {}, .random = true, .identity = {}});
  }
  if (wanted.input.rank() == 0 && like == nullptr)
    throw ValueError(form.name + " does not say what its samples are like: give their sizes, as in --input 8");
  const bool as_network_sees = wanted.input.rank() > 0;
  // Numbers to be met rather than classes.
  const bool numbers = form.find("target_type") != nullptr && data.dataset.fields.text("target_type") == "float";
  const auto targets = numbers ? std::ssize(data.dataset.fields.list("target")) : 0;
  std::int64_t classes = wanted.classes.value_or(like != nullptr ? like->classes : 0);
  if (form.name == "CIFAR100" && data.dataset.fields.flag("coarse") && !wanted.classes) classes = 20;
  const std::int64_t count = std::max<std::int64_t>(2, data.fields.integer("batch_size"));
  return data::FunctionDataset(count,
                               [=, sizes = as_network_sees ? wanted.input : like->sizes](std::int64_t i) {
                                 Tensor x = as_network_sees ? zeros(sizes) : zeros(sizes, {.dtype = kUInt8});
                                 if (!as_network_sees && transform) x = transform(x);
                                 if (numbers) return data::Sample(x, targets > 1 ? zeros({targets}) : zeros({}));
                                 // The largest label first: a network with fewer outputs refuses it.
                                 return data::Sample(x, classes > 1 ? classes - 1 - i % classes : 0);
                               },
                               {.name = {}, .random = true, .identity = {}});
}

}  // namespace gradus::recipe
