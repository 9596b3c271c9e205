#include "recipe/builder.h"

#include <fmt/format.h>
#include <gradus/autograd.h>
#include <gradus/core/pattern.h>
#include <gradus/data/standardize.h>
#include <gradus/data/transforms.h>
#include <gradus/nn/adapters.h>
#include <gradus/nn/freeze.h>

#include <algorithm>
#include <filesystem>

#include "io/checkpoint/find_state_dict.h"
#include "io/value/find_path.h"
#include "text/table.h"

namespace gradus::recipe {

namespace {

thread_local int located_scopes = 0;

std::vector<std::string> parameter_names(const nn::Module& networks) {
  std::vector<std::string> names;
  for (const auto& [name, parameter] : networks.named_parameters()) names.push_back(name);
  return names;
}

}  // namespace

Layers::Located::Located() { ++located_scopes; }
Layers::Located::~Located() { --located_scopes; }

Tensor Layers::forward(const Tensor& x) {
  if (located_scopes == 0) return nn::Sequential::forward(x);
  Tensor result = x;
  const auto& children = state()->children;
  for (std::size_t i = 0; i < children.size(); ++i) {
    try {
      result = (*children[i].module)(result);
    } catch (const RecipeError&) {
      throw;
    } catch (const Error& e) {
      throw RecipeError({{places_[i], fmt::format("layer {} cannot take {}: {}", children[i].name,
                                                  gradus::to_string(result.sizes()), e.what())}});
    }
  }
  return result;
}

template <class Call>
bool Training::Builder::located(const Place& place, Call&& call) {
  try {
    call();
    return true;
  } catch (const RecipeError& e) {
    for (const Mistake& mistake : e.mistakes()) mistakes_.add(mistake.place, mistake.what);
  } catch (const Error& e) {
    mistakes_.add(place, e.what());
  }
  return false;
}

void Training::Builder::build() {
  t_.names_.broken = recipe_.broken;
  make_networks();
  if (!recipe_.data.broken) make_data();
  freeze();
  check_phases();
  make_formulas();
  make_optimizers();
  make_constants();
}

std::shared_ptr<nn::Module> Training::Builder::make_layers(const std::vector<LayerPart>& parts) {
  std::vector<Place> places;
  for (const LayerPart& part : parts) places.push_back(part.place);
  auto layers = std::make_shared<Layers>(places);
  for (const LayerPart& part : parts) {
    located(part.place, [&] {
      layers->take(part.name,
                   part.layer.row != nullptr ? part.layer.row->make(part.layer.fields) : make_layers(part.parts));
    });
  }
  return layers;
}

std::shared_ptr<nn::Module> Training::Builder::make_network(const NetworkPart& part) {
  if (part.model.row != nullptr) return part.model.row->make(part.model.fields);
  if (part.layer.row != nullptr) return part.layer.row->make(part.layer.fields);
  if (!part.parameter.empty()) return std::make_shared<TrainableNumbers>(part.parameter);
  return make_layers(part.layers);
}

// Made as the other is, without drawing random numbers that training would have had.
void Training::Builder::make_average(const NetworkPart& part) {
  const NetworkPart* of = &recipe_.networks[part.average_of];
  const std::vector<nn::NamedModule> made_before = t_.networks_->named_children();
  const auto found = std::find_if(made_before.begin(), made_before.end(),
                                  [&](const nn::NamedModule& child) { return child.first == of->name; });
  if (found == made_before.end()) return give_up(part);
  nn::Module* model = found->second;
  while (of->average) of = &recipe_.networks[of->average_of];
  const gradus::Generator before = default_generator();
  const std::shared_ptr<nn::Module> average = make_network(*of);
  add_adapters(*of, *average);
  default_generator() = before;
  average->load_state_dict(model->state_dict());
  nn::freeze(*average);
  Average& made = t_.averages_.emplace_back();
  made.name = part.name;
  made.average = average.get();
  made.model = model;
  made.after = part.average->integer("after");
  made.every = part.average->integer("every");
  if (part.average->has("decay"))
    made.options.multi_avg_fn = optim::swa_utils::get_ema_multi_avg_fn(part.average->number("decay"));
  t_.networks_->take(part.name, average);
}

void Training::Builder::give_up(const NetworkPart& part) { t_.names_.broken.push_back(part.name); }

void Training::Builder::make_networks() {
  for (const NetworkPart& part : recipe_.networks) {
    if (part.broken) continue;
    if (part.average) {
      if (!located(part.place, [&] { make_average(part); })) give_up(part);
      continue;
    }
    std::shared_ptr<nn::Module> network;
    const Place& place = part.model.row != nullptr   ? part.model.fields.place
                         : part.layer.row != nullptr ? part.layer.fields.place
                                                     : part.place;
    const std::size_t before = mistakes_.size();
    if (!located(place, [&] { network = make_network(part); }) || mistakes_.size() != before) {
      give_up(part);
      continue;
    }
    for (const auto& [pattern, init] : part.inits) {
      bool matched = false;
      for (auto& [name, parameter] : network->named_parameters()) {
        if (!matches(pattern.text, name)) continue;
        matched = true;
        Tensor x = parameter;
        if (init.row != nullptr) located(init.fields.place, [&] { init.row->make(x, init.fields); });
      }
      if (!matched) {
        mistakes_.add(pattern.place, fmt::format("init: no parameter of {} matches '{}'{}", part.name, pattern.text,
                                                 did_you_mean(pattern.text, parameter_names(*network))));
      }
    }
    if (part.weights) load_weights(part, *network);
    add_adapters(part, *network);
    located(part.place, [&] { t_.networks_->take(part.name, network); });
  }
}

void Training::Builder::add_adapters(const NetworkPart& part, nn::Module& network) {
  for (const auto& [name, adapter] : part.adapters) {
    if (adapter.row == nullptr) continue;
    located(adapter.fields.place, [&, &a = adapter, &n = name] { a.row->make(network, n.text, a.fields); });
  }
  const std::vector<std::string> names = nn::adapter_names(network);
  if (!names.empty()) nn::set_adapter(network, names[0]);
}

void Training::Builder::load_weights(const NetworkPart& part, nn::Module& network) {
  const Fields& weights = *part.weights;
  located(weights.given.count("file") != 0 ? weights.get("file").place : weights.place, [&] {
    const std::string path = weights.text("file");
    std::error_code error;
    if (t_.stand_in_.allowed && !std::filesystem::exists(path, error)) {
      t_.notes_.push_back(fmt::format("fresh values stand for the weights of {}: there is no '{}'", part.name, path));
      return;
    }
    io::LoadOptions load;
    if (weights.has("memory")) load.memory = static_cast<std::uint64_t>(weights.integer("memory")) << 20;
    const io::LoadedFile file = io::read_path(path, load);
    const nn::StateDict own = network.state_dict();
    io::StateDictRequest request{.call = "weights",
                                 .at_word = "at",
                                 .rename_word = "rename",
                                 .at = io::find_path("at", file.value, weights.text("at")),
                                 .fit = &own};
    if (weights.get("rename").kind == Node::Kind::Map)
      for (const Node& rule : weights.get("rename").children) request.rename.push_back({rule.key, rule.text});
    const io::FoundStateDict found = io::find_state_dict(file, path, request);
    const nn::LoadReport report = network.load_state_dict(
        found.dict, {.strict = weights.flag("strict"), .skip_mismatched = weights.flag("skip_mismatched")});
    if (report.loaded.empty())
      throw ValueError(
          fmt::format("weights: no tensor of {}{} fits the network: {}", path, found.place, report.to_string()));
  });
}

data::AnyTransform Training::Builder::compose(const std::vector<Bound<TransformCall>>& transforms) {
  std::vector<data::AnyTransform> all;
  for (const auto& transform : transforms) {
    located(transform.fields.place, [&] { all.push_back(transform.row->make(transform.fields)); });
  }
  if (all.empty()) return {};
  return data::transforms::Compose(std::move(all));
}

void Training::Builder::make_data() {
  const DataPart& data = recipe_.data;
  if (!recipe_.has_data()) return;
  std::optional<data::AnyDataset> made, train, test;
  data::AnyTransform train_transform = compose(data.transforms), test_transform = compose(data.test_transforms);
  const double held_out = data.fields.number("held_out");
  const bool split = data.fields.has("held_out") && held_out > 0;
  const Node& standardize = data.fields.get("standardize");
  const bool standardized = standardize.kind == Node::Kind::List || standardize.text == "true";
  located(data.dataset.fields.place, [&] {
    const bool later = split || standardized;  // transforms are known, or apart
    try {
      if (t_.stand_in_.input.rank() > 0) throw IoError("");  // they are not asked for
      made = data.dataset.row->make(data.dataset.fields, later ? data::AnyTransform() : train_transform, nullptr);
    } catch (const IoError& e) {
      if (!t_.stand_in_.allowed) throw;
      t_.stands_in_ = true;
      if (*e.what() != 0) t_.notes_.push_back(std::string("blank samples stand for the data: ") + e.what());
    }
    if (t_.stands_in_) {
      train = stand_in(t_.stand_in_, data, train_transform);
      if (split || data.test.row != nullptr) test = stand_in(t_.stand_in_, data, test_transform);
      return;
    }
    data::AnyDataset whole = *made;
    if (data.fields.has("limit")) {
      const std::int64_t count = std::min(data.fields.integer("limit"), whole->size());
      std::vector<std::int64_t> first(static_cast<std::size_t>(count));
      for (std::int64_t i = 0; i < count; ++i) first[static_cast<std::size_t>(i)] = i;
      whole = data::Subset(whole, std::move(first));
    }
    if (split) {
      // Which samples is a matter of the seed alone.
      gradus::Generator generator(recipe_.seed + 0x5011d);
      const auto parts = data::random_split(whole, std::vector<double>{1 - held_out, held_out}, &generator);
      train = parts[0];
      test = parts[1];
    } else {
      train = whole;
    }
    if ((*train)->size() == 0) throw ValueError("the dataset has no samples to train on");
    if (split && (*test)->size() == 0) {
      throw ValueError(fmt::format("held_out: {} of {} samples leaves none for evaluate", held_out, whole->size()));
    }
    if (standardized) {
      located(standardize.place, [&] {
        t_.standardization_ = fitted(**made, **train, standardize);
        train_transform = data::transforms::Compose({*t_.standardization_, train_transform});
        test_transform = data::transforms::Compose({*t_.standardization_, test_transform});
      });
    }
    if (later) train = data::Transformed(*train, {.transform = train_transform});
    if (test) test = data::Transformed(*test, {.transform = test_transform});
    if (const auto* table = dynamic_cast<const data::CsvDataset*>(&**made)) {
      t_.encoding_ = table->encoding();
      t_.notes_.insert(t_.notes_.end(), table->notes().begin(), table->notes().end());
    }
  });
  if (data.test.row != nullptr && made && !t_.stands_in_) {
    located(data.test.fields.place, [&] { test = data.test.row->make(data.test.fields, test_transform, &**made); });
  }
  const auto loader = [&](const data::AnyDataset& dataset, bool training) {
    return data::DataLoader(
        dataset, {.batch_size = data.fields.integer("batch_size"),
                  .shuffle = training && data.fields.flag("shuffle"),
                  .num_workers = static_cast<int>(data.fields.integer("num_workers")),
                  .drop_last = training && data.fields.flag("drop_last"),
                  .prefetch_factor = static_cast<int>(data.fields.integer("prefetch_factor")),
                  .seed = recipe_.seed,
                  .share = training ? gradus::training::train_share(recipe_.chunks) : gradus::training::test_share()});
  };
  located(data.fields.place, [&] {
    if (train) t_.loader_.emplace(loader(*train, true));
    if (test) t_.test_loader_.emplace(loader(*test, false));
    if (t_.loader_ && t_.loader_->size() == 0)
      throw ValueError("data: there is no whole batch of " + std::to_string(data.fields.integer("batch_size")) +
                       " samples; make batch_size smaller or leave drop_last out");
  });
}

// Of a table the columns that are numbers, or those that are named; of other rows all.
data::transforms::Normalize Training::Builder::fitted(const data::Dataset& whole, const data::Dataset& train,
                                                      const Node& wanted) const {
  const auto* table = dynamic_cast<const data::CsvDataset*>(&whole);
  if (table == nullptr) {
    if (wanted.kind == Node::Kind::List) throw ValueError("standardize: only a table's columns have names");
    return data::standardize(train);
  }
  std::vector<std::string> names;
  for (const Node& name : wanted.children) names.push_back(name.text);
  for (const std::string& column : table->encoding().columns)
    if (wanted.kind != Node::Kind::List && table->encoding().one_hot.count(column) == 0) names.push_back(column);
  std::vector<std::int64_t> places;
  for (const std::string& name : names) {
    const auto at = std::find(table->columns().begin(), table->columns().end(), name);
    if (at == table->columns().end())
      throw ValueError("standardize: there is no column '" + name + "'" + did_you_mean(name, table->columns()));
    places.push_back(at - table->columns().begin());
  }
  if (places.empty()) throw ValueError("standardize: needs a column of numbers, the table has none");
  return data::standardize(train, places);
}

std::vector<std::string> Training::Builder::pattern_candidates() const {
  std::vector<std::string> names;
  for (const auto& [name, module] : t_.networks_->named_modules())
    if (!name.empty()) names.push_back(name);
  for (const std::string& name : parameter_names(*t_.networks_)) names.push_back(name);
  return names;
}

bool Training::Builder::check_pattern(const Node& pattern) {
  for (const std::string& name : parameter_names(*t_.networks_))
    if (matches(pattern.text, name)) return true;
  if (!t_.names_.broken.empty()) return false;  // what it means may be among them
  for (const auto& [name, module] : t_.networks_->named_modules()) {
    if (name.empty() || !matches(pattern.text, name)) continue;
    mistakes_.add(pattern.place, fmt::format("'{}' has no parameters: it is a {}", pattern.text, module->type_name()));
    return false;
  }
  std::string hint = did_you_mean(pattern.text, pattern_candidates());
  if (!hint.starts_with("; did you mean")) {
    std::vector<std::string> names;
    for (const nn::NamedModule& child : t_.networks_->named_children()) names.push_back(child.first);
    hint = fmt::format("; names begin with the network's: {}", fmt::join(names, ", "));
  }
  mistakes_.add(pattern.place, "no parameter matches '" + pattern.text + "'" + hint);
  return false;
}

void Training::Builder::freeze() {
  for (const Node& pattern : recipe_.freeze)
    if (check_pattern(pattern)) nn::freeze(*t_.networks_, pattern.text);
}

void Training::Builder::make_formulas() {
  Names& names = t_.names_;
  names.networks = t_.networks_.get();
  const auto variable = [&](const std::string& name) {
    names.variables.push_back(name);
    return names.variables.size() - 1;
  };
  t_.batch_ = variable("batch");
  if (recipe_.has_data() || (recipe_.data.broken && recipe_.data.fields.given.count("dataset") != 0)) {
    t_.x_ = variable("x");
    t_.y_ = variable("y");
  }
  const auto compile = [&](const NamedExpression& named, const Names& known) {
    return Formula::compile(named.expression, known, mistakes_);
  };
  t_.first_constant_ = names.variables.size();
  t_.constants_.resize(recipe_.constants.size());
  for (const NamedExpression& constant : recipe_.constants) variable(constant.name);
  t_.first_value_ = names.variables.size();
  for (const NamedExpression& value : recipe_.values) {
    t_.values_.push_back(compile(value, names));
    variable(value.name);
  }
  t_.first_loss_ = names.variables.size();
  for (const NamedExpression& loss : recipe_.losses) {
    t_.losses_.push_back(compile(loss, names));
    // A network of the same name goes before it.
    const bool taken = std::any_of(recipe_.networks.begin(), recipe_.networks.end(),
                                   [&](const NetworkPart& network) { return network.name == loss.name; });
    variable(taken ? "" : loss.name);
  }
  for (const NamedExpression& metric : recipe_.metrics) t_.metrics_.push_back(compile(metric, names));
  for (const ImagePart& image : recipe_.images) t_.images_.push_back({compile(image.show, names), &image});
  if (recipe_.predict) {
    Names row{{"x"}, names.broken, names.networks};
    Formula::compile(*recipe_.predict, row, mistakes_);
  }
  t_.last_losses_.resize(recipe_.losses.size());
}

void Training::Builder::make_constants() {
  Names known;
  known.networks = t_.networks_.get();
  known.broken = t_.names_.broken;
  for (std::size_t i = 0; i < recipe_.constants.size(); ++i) {
    const Formula formula = Formula::compile(recipe_.constants[i].expression, known, mistakes_);
    Frame frame(known.variables.size());
    for (std::size_t j = 0; j < i; ++j) frame.set(j, t_.constants_[j]);
    const NoGrad guard;
    if (mistakes_.empty())
      located(recipe_.constants[i].expression.place, [&] { t_.constants_[i] = formula.compute(frame); });
    known.variables.push_back(recipe_.constants[i].name);
  }
}

bool Training::Builder::is_average(const std::string& parameter) const {
  return std::any_of(t_.averages_.begin(), t_.averages_.end(),
                     [&](const Average& average) { return parameter.starts_with(average.name + "."); });
}

optim::Params Training::Builder::parameters_of(const OptimizerPart& part) {
  const auto patterns = part.fields.list("params");
  std::vector<nn::NamedTensor> owned;
  bool known = true;
  for (const Node& pattern : patterns) known = check_pattern(pattern) && known;
  for (const auto& named : t_.networks_->named_parameters()) {
    if (is_average(named.first)) continue;
    const bool wanted = patterns.empty() || std::any_of(patterns.begin(), patterns.end(), [&](const Node& pattern) {
                          return matches(pattern.text, named.first);
                        });
    if (wanted) owned.push_back(named);
  }
  if (owned.empty() && known)
    mistakes_.add(part.fields.get("params").place, "optimizer " + part.name + ": no optimizer owns an average");
  return owned;
}

std::map<std::string, optim::OptionValue> Training::Builder::options_of(const OptimizerPart& part,
                                                                        const OptionNodes& nodes) {
  std::map<std::string, optim::OptionValue> options;
  for (const Node& node : nodes) {
    const auto like = part.rule->defaults.find(node.key);
    if (like == part.rule->defaults.end()) continue;
    located(node.place, [&] {
      try {
        options[node.key] = option_value(node, like->second);
      } catch (const Error& e) {
        throw ValueError(part.rule->form.name + ": " + node.key + " " + e.what());
      }
    });
  }
  return options;
}

void Training::Builder::make_optimizers() {
  for (const OptimizerPart& part : recipe_.optimizers) make_optimizer(part);
}

void Training::Builder::make_optimizer(const OptimizerPart& part) {
  Trainer& trainer = t_.trainers_.emplace_back();
  if (part.broken || !t_.names_.broken.empty()) return;
  const std::size_t before = mistakes_.size();
  const optim::Params params = parameters_of(part);
  std::map<std::string, optim::OptionValue> defaults = part.rule->defaults;
  for (auto& [name, value] : options_of(part, part.options)) defaults[name] = value;

  std::vector<OptimizerGroup> groups;
  for (const auto& [pattern, nodes] : part.groups) {
    OptimizerGroup& group = groups.emplace_back();
    group.name = pattern.text;
    group.options = defaults;
    for (auto& [name, value] : options_of(part, nodes)) group.options[name] = value;
  }
  std::vector<std::vector<nn::NamedTensor>> members(groups.size());
  std::vector<nn::NamedTensor> rest;
  for (const nn::NamedTensor& named : params) {
    const auto group = std::find_if(groups.begin(), groups.end(),
                                    [&](const OptimizerGroup& g) { return matches(g.name, named.first); });
    if (group == groups.end())
      rest.push_back(named);
    else
      members[static_cast<std::size_t>(group - groups.begin())].push_back(named);
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i].params = members[i];
    if (!members[i].empty()) continue;
    const Node& pattern = part.groups[i].first;
    if (!check_pattern(pattern)) continue;
    mistakes_.add(pattern.place, fmt::format("group {} of optimizer {} is empty: what it matches belongs to an earlier "
                                             "group, or is not among params",
                                             pattern.text, part.name));
  }
  const std::string unmatched = part.fields.text("unmatched");
  if (!rest.empty() && unmatched == "error" && !groups.empty()) {
    mistakes_.add(part.place, fmt::format("optimizer {}: no group matches {} of its parameters, {} among them",
                                          part.name, rest.size(), rest[0].first));
  } else if (!rest.empty() && (unmatched == "group" || groups.empty())) {
    groups.push_back({groups.empty() ? "" : "others", rest, defaults});
  }
  if (mistakes_.size() != before) return;
  // An option that is refused is the mistake, not the optimizer.
  const auto make = [&] {
    try {
      trainer.optimizer = part.rule->make(groups);
    } catch (const Error& e) {
      const auto blame = [&](const OptionNodes& nodes) {
        for (const Node& node : nodes)
          if (std::string(e.what()).find(fmt::format(": {} must", node.key)) != std::string::npos)
            throw RecipeError({{node.place, e.what()}});
      };
      for (std::size_t i = 0; i < part.groups.size(); ++i) {
        const auto& [pattern, nodes] = part.groups[i];
        if (std::string(e.what()).find(fmt::format("group {} ('{}')", i, pattern.text)) != std::string::npos)
          blame(nodes);
      }
      blame(part.options);
      throw;
    }
  };
  const bool made = located(part.place, [&] {
    make();
    optim::ClippingOptions clipping;
    if (part.fields.has("clip_norm")) clipping.max_norm = part.fields.number("clip_norm");
    if (part.fields.has("clip_value")) clipping.max_value = part.fields.number("clip_value");
    const std::string nonfinite = part.fields.text("nonfinite");
    clipping.nonfinite = nonfinite == "skip"        ? optim::NonFinite::skip
                         : nonfinite == "propagate" ? optim::NonFinite::propagate
                                                    : optim::NonFinite::error;
    if (clipping.max_norm || clipping.max_value) trainer.optimizer->set_clipping(clipping);
  });
  trainer.by_step = part.fields.text("schedule_by") == "step";
  if (!made || part.schedule.row == nullptr) return;
  located(part.schedule.fields.place, [&] {
    AnySchedule schedule = part.schedule.row->make(*trainer.optimizer, part.schedule.fields);
    if (auto* plateau = std::get_if<optim::lr_scheduler::ReduceLROnPlateau>(&schedule))
      trainer.plateau.emplace(std::move(*plateau));
    else
      trainer.schedule.emplace(std::get<optim::lr_scheduler::LRScheduler>(std::move(schedule)));
  });
  const std::string metric = trainer.plateau ? part.schedule.fields.text("metric") : "";
  for (std::size_t i = 0; i < recipe_.metrics.size(); ++i)
    if (recipe_.metrics[i].name == metric) trainer.plateau_metric = i;
}

void Training::Builder::check_phases() {
  for (const Phase& phase : recipe_.phases) {
    for (const Node& pattern : phase.freeze) check_pattern(pattern);
    for (const Node& pattern : phase.unfreeze) check_pattern(pattern);
    for (const Node& use : phase.use) check_use(use);
  }
}

// {network: adapter}
void Training::Builder::check_use(const Node& use) {
  std::vector<std::string> networks;
  for (const nn::NamedModule& child : t_.networks_->named_children()) {
    networks.push_back(child.first);
    if (child.first != use.key) continue;
    const std::vector<std::string> names = nn::adapter_names(*child.second);
    if (use.text == "none" || std::find(names.begin(), names.end(), use.text) != names.end()) return;
    mistakes_.add(use.place, fmt::format("network {} has no adapter '{}'{}", use.key, use.text,
                                         names.empty() ? "" : did_you_mean(use.text, names)));
    return;
  }
  if (t_.names_.broken.empty())
    mistakes_.add(use.key_place, "there is no network '" + use.key + "'" + did_you_mean(use.key, networks));
}

void change_options(optim::Optimizer& optimizer, const Change& change, bool factors) {
  const auto write = [&](std::size_t group, const OptionNodes& nodes) {
    for (const Node& node : nodes) {
      try {
        const optim::OptionValue now = optimizer.option(group, node.key);
        optim::OptionValue value;
        if (!factors) {
          value = option_value(node, now);
        } else {
          const auto* number = std::get_if<double>(&now);
          if (number == nullptr || !is_number(node))
            throw ValueError(node.key + " cannot be scaled by " + node.describe());
          value = *number * number_of(node);
        }
        optimizer.set_option(group, node.key, value);
      } catch (const RecipeError&) {
        throw;
      } catch (const Error& e) {
        throw RecipeError({{node.place, e.what()}});
      }
    }
  };
  for (std::size_t group = 0; group < optimizer.group_count(); ++group) write(group, change.options);
  for (const auto& [pattern, nodes] : change.groups) {
    for (std::size_t group = 0; group < optimizer.group_count(); ++group)
      if (optimizer.group_name(group) == pattern.text) write(group, nodes);
  }
}

}  // namespace gradus::recipe
