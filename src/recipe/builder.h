// Makes what a recipe describes.
#pragma once

#include <gradus/nn/containers.h>

#include "recipe/training.h"

namespace gradus::recipe {

// All networks of a recipe as one module, so that every parameter has one name: "net.features.0.weight".
struct Training::Networks : nn::Module {
  Networks() : nn::Module("Networks") {}
  void take(const std::string& name, std::shared_ptr<nn::Module> network) { add_child(name, std::move(network)); }
};

// A list of layers that can say which of them refused its input.
class Layers : public nn::Sequential {
 public:
  explicit Layers(std::vector<Place> places) : places_(std::move(places)) {}
  void take(const std::string& name, std::shared_ptr<nn::Module> layer) { add_child(name, std::move(layer)); }
  Tensor forward(const Tensor& x) override;

  // While it lives, layers run one by one, and their errors are RecipeErrors with the layer's place.
  class Located {
   public:
    Located();
    ~Located();
    Located(const Located&) = delete;
    Located& operator=(const Located&) = delete;
  };

 private:
  std::vector<Place> places_;
};

class Training::Builder {
 public:
  Builder(Training& training, Mistakes& mistakes) : t_(training), recipe_(training.recipe_), mistakes_(mistakes) {}
  void build();

 private:
  template <class Call>
  bool located(const Place& place, Call&& call);
  std::shared_ptr<nn::Module> make_layers(const std::vector<LayerPart>& parts);
  std::shared_ptr<nn::Module> make_network(const NetworkPart& part);
  void make_networks();
  void make_average(const NetworkPart& part);
  void give_up(const NetworkPart& part);  // its mistakes are told; others may name it
  bool is_average(const std::string& parameter) const;
  void add_adapters(const NetworkPart& part, nn::Module& network);
  void check_use(const Node& use);
  void load_weights(const NetworkPart& part, nn::Module& network);
  void make_data();
  data::AnyTransform compose(const std::vector<Bound<TransformCall>>& transforms);
  data::transforms::Normalize fitted(const data::Dataset& whole, const data::Dataset& train, const Node& wanted) const;
  void make_formulas();
  void make_constants();
  void make_optimizers();
  void make_optimizer(const OptimizerPart& part);
  std::map<std::string, optim::OptionValue> options_of(const OptimizerPart& part, const OptionNodes& nodes);
  optim::Params parameters_of(const OptimizerPart& part);
  void freeze();
  void check_phases();
  std::vector<std::string> pattern_candidates() const;
  bool check_pattern(const Node& pattern);

  Training& t_;
  const Recipe& recipe_;
  Mistakes& mistakes_;
};

// Writes options into an optimizer's groups: of `groups` by their patterns, else of all. Factors multiply.
void change_options(optim::Optimizer& optimizer, const Change& change, bool factors);

}  // namespace gradus::recipe
