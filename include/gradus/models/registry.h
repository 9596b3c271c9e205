// The networks by name.
//
//   const auto net = models::make("resnet18", {{"num_classes", 10}});
//   const Tensor scores = (*net)(images);
#pragma once

#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <gradus/nn/module.h>

namespace gradus::models {

using Value = std::variant<bool, std::int64_t, double, std::string>;
using Options = std::map<std::string, Value>;

struct OptionInfo {
  std::string name;
  Value value;  // where none is given; says also which type is wanted
  std::string about;
};

struct ModelInfo {
  std::string name, about;
  Shape input;  // of one sample, without the batch, where the options are as they are
  std::vector<OptionInfo> options;
};

// All networks, in the order in which they are documented.
const std::vector<ModelInfo>& list();
// ValueError, with the nearest name, where there is no such network.
const ModelInfo& info(const std::string& name);

// A new network. Options that are not given have their defaults; an integer may stand for a real number. ValueError for
// a name of no network or no option (with the nearest), and for a value of another type.
std::shared_ptr<nn::Module> make(const std::string& name, const Options& options = {});

}  // namespace gradus::models
