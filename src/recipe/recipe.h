// A recipe: what a file says, checked as far as that goes without making anything.
#pragma once

#include "recipe/calls/callables.h"
#include "recipe/language/expression.h"

namespace gradus::recipe {

// A call whose name and arguments exist.
template <class C>
struct Bound {
  const C* row = nullptr;
  Fields fields;
};

struct NamedExpression {
  std::string name;
  Place place;  // of the name
  Expression expression;
};

// A layer, or several as a part of their own.
struct LayerPart {
  std::string name;
  Place place;
  Bound<Layer> layer;  // without a row: parts
  std::vector<LayerPart> parts;
};

struct NetworkPart {
  std::string name;
  Place place;
  Bound<Model> model;
  Bound<Layer> layer;  // a single one
  std::vector<LayerPart> layers;
  std::vector<double> parameter;
  std::optional<Fields> average;
  std::size_t average_of = 0;  // one of the networks above it
  std::optional<Fields> weights;
  std::vector<std::pair<Node, Bound<Init>>> inits;            // by pattern
  std::vector<std::pair<Node, Bound<AdapterCall>>> adapters;  // by name
  bool broken = false;                                        // there are mistakes in it
};

struct DataPart {
  Fields fields;
  Bound<DatasetCall> dataset, test;  // without a row: none
  std::vector<Bound<TransformCall>> transforms, test_transforms;
  bool broken = false;
};

// Options as they are written, by name.
using OptionNodes = std::vector<Node>;

struct OptimizerPart {
  std::string name;
  Place place;
  const OptimizerCall* rule = nullptr;
  Fields fields;
  OptionNodes options;
  std::vector<std::pair<Node, OptionNodes>> groups;  // by pattern
  Bound<ScheduleCall> schedule;
  bool broken = false;
};

// {optimizer: {lr: 0.1, groups: {pattern: {lr: 0.2}}}}
struct Change {
  std::size_t optimizer = 0;
  OptionNodes options;
  std::vector<std::pair<Node, OptionNodes>> groups;
};

struct Update {
  std::size_t loss = 0, optimizer = 0;
  std::int64_t every = 1, accumulate = 1;
};

struct Phase {
  std::string name;
  Place place;
  std::int64_t epochs = 0, steps = 0;  // one of them
  std::vector<Update> updates;
  std::vector<Node> freeze, unfreeze;  // patterns
  std::vector<Node> use;               // adapters, with a network's name as the key
  std::vector<Change> changes, scales;
};

struct ImagePart {
  std::string name;
  NamedExpression show;
  Fields fields;
};

struct Recipe {
  std::string name;  // the file's, without folder and ending
  std::string text;  // what the file says
  std::uint64_t seed = 1;
  bool portable = false;
  std::int64_t chunks = 0;  // of every batch, as the command line says; 0: one per process
  std::string on_nan = "stop";
  bool audit = false;
  std::vector<std::pair<std::string, std::string>> expected;  // of an audit: rule, pattern
  DataPart data;
  std::vector<NetworkPart> networks;
  std::vector<Node> freeze;
  std::vector<NamedExpression> constants, values, losses, metrics;
  std::vector<OptimizerPart> optimizers;
  std::vector<Phase> phases;
  Fields evaluate, outputs;
  std::string best, best_mode = "min";  // the metric whose best checkpoint is kept; "" for none
  std::vector<std::string> broken;      // networks and expressions that have mistakes
  std::vector<ImagePart> images;
  std::optional<Expression> predict;

  bool has_data() const { return data.dataset.row != nullptr; }
};

// Reads a file, with assignments "data.batch_size=32" on top of it. IoError where it cannot be read; RecipeError with
// all mistakes.
Recipe read_recipe(const std::string& path, const std::vector<std::string>& assignments = {});
Recipe parse_recipe(const std::string& text, const std::string& file, const std::vector<std::string>& assignments = {});
// The same, but mistakes are collected: what they are not in can still be made, so that Training finds more of them.
Recipe read_recipe(const std::string& path, const std::vector<std::string>& assignments, Mistakes& mistakes);
Recipe parse_recipe(const std::string& text, const std::string& file, const std::vector<std::string>& assignments,
                    Mistakes& mistakes);

}  // namespace gradus::recipe
