// What a recipe calls by name: layers, models, initial values, datasets, transforms, optimizers, schedules. Each kind
// is a list of rows: a form, and what makes the thing from its fields.
#pragma once

#include <gradus/data/datasets.h>
#include <gradus/nn/module.h>
#include <gradus/optim/lr_scheduler/plateau.h>
#include <gradus/optim/lr_scheduler/scheduler.h>
#include <gradus/optim/optimizer.h>

#include <functional>
#include <memory>
#include <variant>

#include "recipe/language/form.h"

namespace gradus::recipe {

template <class Make>
struct Callable {
  Form form;
  std::function<Make> make;
};

// "layer": torch.nn's names and arguments.
using Layer = Callable<std::shared_ptr<nn::Module>(const Fields&)>;
const std::vector<Layer>& layers();
// "model": those of models::make.
using Model = Callable<std::shared_ptr<nn::Module>(const Fields&)>;
const std::vector<Model>& models();
// "init": torch.nn.init's.
using Init = Callable<void(Tensor&, const Fields&)>;
const std::vector<Init>& inits();
// "transform": torchvision.transforms.v2's.
using TransformCall = Callable<data::AnyTransform(const Fields&)>;
const std::vector<TransformCall>& transforms();
// "dataset": torchvision.datasets', and tables and arrays. A file that is not there is an IoError. A test has the
// classes and columns of the dataset that is trained on, which is null for that one itself.
using DatasetCall = Callable<data::AnyDataset(const Fields&, data::AnyTransform, const data::Dataset* trained_on)>;
const std::vector<DatasetCall>& datasets();
data::AnyDataset text_blocks(const Fields& fields, const data::AnyTransform& transform);
data::CsvOptions csv_options(const Fields& csv_dataset);  // what a CsvDataset's arguments say
// "adapter": those of nn/adapters.h, under a name, and PEFT's folders.
using AdapterCall = Callable<void(nn::Module&, const std::string& name, const Fields&)>;
const std::vector<AdapterCall>& adapters();
// "schedule": torch.optim.lr_scheduler's.
using AnySchedule = std::variant<optim::lr_scheduler::LRScheduler, optim::lr_scheduler::ReduceLROnPlateau>;
using ScheduleCall = Callable<AnySchedule(optim::Optimizer&, const Fields&)>;
const std::vector<ScheduleCall>& schedules();

// Optimizers have options rather than arguments: their forms are read from the rules themselves.
struct OptimizerGroup {
  std::string name;
  optim::Params params;
  std::map<std::string, optim::OptionValue> options;  // all of them
};
struct OptimizerCall : Callable<std::unique_ptr<optim::Optimizer>(const std::vector<OptimizerGroup>&)> {
  std::map<std::string, optim::OptionValue> defaults;
};
const std::vector<OptimizerCall>& optimizers();
// An option's value as its type asks, which that of `like` is. ValueError.
optim::OptionValue option_value(const Node& node, const optim::OptionValue& like);

// The row that a call names and its fields; null with mistakes.
template <class C>
const C* find_callable(const std::vector<C>& rows, const Call& call, const std::string& kind, Mistakes& mistakes);
void no_such(const std::string& kind, const Call& call, Mistakes& mistakes);

template <class C>
const C* find_callable(const std::vector<C>& rows, const Call& call, const std::string& kind, Mistakes& mistakes) {
  for (const C& row : rows)
    if (row.form.name == call.name) return &row;
  no_such(kind, call, mistakes);
  return nullptr;
}

}  // namespace gradus::recipe
