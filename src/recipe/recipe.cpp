#include "recipe/recipe.h"

#include <fmt/format.h>
#include <gradus/optim/control/audit.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "recipe/language/language.h"
#include "text/table.h"

namespace gradus::recipe {

namespace {

// A larger file is not a recipe.
constexpr std::uintmax_t kMaxFile = 1 << 20;

class Reader {
 public:
  Reader(Recipe& recipe, Mistakes& mistakes) : recipe_(recipe), mistakes_(mistakes) {}

  void read(const Node& root) {
    const Fields top = read_fields(section("recipe"), "the recipe", root, mistakes_);
    if (top.form == nullptr || root.kind != Node::Kind::Map) return;
    if (is_integer(top.get("seed"))) recipe_.seed = static_cast<std::uint64_t>(top.integer("seed"));
    recipe_.portable = is_flag(top.get("portable")) && top.flag("portable");
    recipe_.on_nan = top.text("on_nan");
    recipe_.audit = is_flag(top.get("audit")) && top.flag("audit");
    read_expected(top.get("expect"));
    read_data(top.get("data"));
    for (const Node& node : children(top.get("networks"))) read_network(node);
    recipe_.freeze = top.list("freeze");
    read_expressions(top.get("constants"), recipe_.constants);
    read_expressions(top.get("values"), recipe_.values);
    read_expressions(top.get("losses"), recipe_.losses);
    for (const Node& node : children(top.get("optimizers"))) read_optimizer(node);
    read_evaluation(top.get("evaluate"));
    check_plateaus();
    read_outputs(top.get("outputs"));
    read_phases(top.get("phases"));
    check_names();
  }

 private:
  static const std::vector<Node>& children(const Node& node) {
    static const std::vector<Node> none;
    return node.kind == Node::Kind::Map || node.kind == Node::Kind::List ? node.children : none;
  }

  template <class C>
  Bound<C> bind(const Node& node, const std::string& kind, const std::vector<C>& rows) {
    Bound<C> bound;
    const auto call = read_call(node, kind, mistakes_);
    if (!call) return bound;
    const C* row = find_callable(rows, *call, kind, mistakes_);
    if (row == nullptr) return bound;
    bound.fields = read_fields(row->form, row->form.name, call->arguments, mistakes_);
    bound.fields.place = call->place;
    bound.row = row;
    return bound;
  }

  void read_expected(const Node& map) {
    const std::vector<std::string> rules = optim::audit_rules();
    for (const Node& node : children(map)) {
      if (std::find(rules.begin(), rules.end(), node.key) == rules.end())
        mistakes_.add(node.key_place,
                      "expect: there is no rule '" + node.key + "' of audits" + did_you_mean(node.key, rules));
      recipe_.expected.emplace_back(node.key, node.text);
    }
  }

  void read_data(const Node& node) {
    const std::size_t before = mistakes_.size();
    read_data_fields(node);
    recipe_.data.broken = mistakes_.size() != before;
  }

  void read_data_fields(const Node& node) {
    DataPart& data = recipe_.data;
    data.fields = read_fields(section("data"), "data", node, mistakes_);
    if (data.fields.form == nullptr) return;
    const auto read_transforms = [&](const char* field, auto& list) {
      for (const Node& transform : children(data.fields.get(field)))
        list.push_back(bind(transform, "transform", transforms()));
    };
    const auto given = [&](const char* field) { return data.fields.given.count(field) != 0; };
    if (given("dataset")) data.dataset = bind(data.fields.get("dataset"), "dataset", datasets());
    if (given("test")) data.test = bind(data.fields.get("test"), "dataset", datasets());
    read_transforms("transforms", data.transforms);
    read_transforms(given("test_transforms") ? "test_transforms" : "transforms", data.test_transforms);
    if (given("dataset")) return;
    for (const char* field : {"test", "held_out", "limit", "standardize", "transforms", "test_transforms"})
      if (given(field))
        mistakes_.add(data.fields.get(field).key_place,
                      fmt::format("data: {} needs a dataset, which is missing", field));
  }

  void read_network(const Node& node) {
    const std::size_t before = mistakes_.size();
    NetworkPart network;
    network.name = node.key;
    network.place = node.key_place;
    if (node.key.find('.') != std::string::npos)
      mistakes_.add(node.key_place, "a network's name must have no points, got '" + node.key + "'");
    const std::string owner = "network " + node.key;
    const Fields fields = read_fields(section("network"), owner, node, mistakes_);
    if (fields.given.empty()) {
      recipe_.broken.push_back(node.key);
      return;
    }
    const bool model = fields.given.count("model") != 0, layered = fields.given.count("layers") != 0;
    const bool parameter = fields.given.count("parameter") != 0, average = fields.given.count("average") != 0;
    const int kinds = model + layered + parameter + average;
    if (kinds != 1) {
      mistakes_.add(node.key_place, owner + " needs a model, layers, a parameter or an average, got " +
                                        (kinds == 0 ? "none of them" : "more than one"));
    }
    if (average) {
      network.average = read_fields(section("average"), owner, fields.get("average"), mistakes_);
      if (network.average->given.count("of") != 0)
        network.average_of = find(network.average->get("of"), "network above it named", recipe_.networks);
      for (const char* field : {"weights", "init", "adapters"})
        if (fields.given.count(field) != 0)
          mistakes_.add(fields.get(field).key_place, owner + ": an average takes no " + field + " of its own");
    }
    if (model) {
      // A text may be a layer just as well.
      Mistakes unread;
      const auto call = read_call(fields.get("model"), "model", unread);
      const bool layer = call && std::any_of(layers().begin(), layers().end(),
                                             [&](const Layer& row) { return row.form.name == call->name; });
      if (layer)
        network.layer = bind(fields.get("model"), "layer", layers());
      else
        network.model = bind(fields.get("model"), "model", models());
    }
    if (parameter) network.parameter = fields.numbers("parameter");
    if (layered) network.layers = read_layers(fields.get("layers"), owner);
    if (fields.given.count("weights") != 0)
      network.weights = read_fields(section("weights"), "weights", fields.get("weights"), mistakes_);
    for (const Node& init : children(fields.get("init")))
      network.inits.emplace_back(key_of(init), bind(init, "init", inits()));
    for (const Node& adapter : children(fields.get("adapters")))
      network.adapters.emplace_back(key_of(adapter), bind(adapter, "adapter", adapters()));
    network.broken = mistakes_.size() != before;
    if (network.broken) recipe_.broken.push_back(node.key);
    recipe_.networks.push_back(std::move(network));
  }

  static Node key_of(const Node& node) {
    Node key;
    key.kind = Node::Kind::Scalar;
    key.text = node.key;
    key.place = node.key_place;
    return key;
  }

  std::vector<LayerPart> read_layers(const Node& node, const std::string& owner) {
    std::vector<LayerPart> parts;
    if (node.kind != Node::Kind::Map && node.kind != Node::Kind::List) return parts;
    for (const Node& child : node.children) {
      LayerPart part;
      part.name = node.kind == Node::Kind::Map ? child.key : std::to_string(parts.size());
      part.place = child.place;
      if (part.name.empty() || part.name.find('.') != std::string::npos)
        mistakes_.add(child.key_place, owner + ": a layer's name must have no points, got '" + part.name + "'");
      if (child.kind == Node::Kind::List || (child.kind == Node::Kind::Map && child.find("type") == nullptr)) {
        part.parts = read_layers(child, owner);
      } else {
        part.layer = bind(child, "layer", layers());
      }
      parts.push_back(std::move(part));
    }
    if (parts.empty()) mistakes_.add(node.place, owner + " needs layers, got none");
    return parts;
  }

  void read_expressions(const Node& map, std::vector<NamedExpression>& list) {
    for (const Node& node : children(map)) {
      NamedExpression named{node.key, node.key_place, {}};
      if (parse_expression(node, named.expression, mistakes_))
        list.push_back(std::move(named));
      else
        recipe_.broken.push_back(node.key);
    }
  }

  static std::vector<std::string> names_of(const std::vector<Field>& fields) {
    std::vector<std::string> names;
    for (const Field& field : fields) names.push_back(field.name);
    return names;
  }

  // "Adam(lr=0.01)" as {type: Adam, lr: 0.01}.
  Node optimizer_node(const Node& node) {
    if (node.kind != Node::Kind::Scalar || node.text.find('(') == std::string::npos) return node;
    Node map = node;
    Expression call;
    if (!parse_call(node, call, mistakes_) || !to_literal(call, map, mistakes_)) return node;
    map.key = node.key;
    map.key_place = node.key_place;
    for (const Node& child : map.children)
      if (child.key.empty())
        mistakes_.add(child.place, "optimizer " + node.key + ": options have names, as in lr=0.01");
    std::erase_if(map.children, [](const Node& child) { return child.key.empty(); });
    for (const Node& change : node.children) map.children.push_back(change);  // written by --set
    return map;
  }

  void read_optimizer(const Node& written) {
    const std::size_t before = mistakes_.size();
    const Node node = optimizer_node(written);
    OptimizerPart part;
    part.name = node.key;
    part.place = node.key_place;
    const Node* type = node.kind == Node::Kind::Map      ? node.find("type")
                       : node.kind == Node::Kind::Scalar ? &node
                                                         : nullptr;
    if (type != nullptr && type->kind == Node::Kind::Scalar) {
      Call call;
      call.name = without_module(type->text);
      call.place = type->place;
      part.rule = find_callable(optimizers(), call, "optimizer", mistakes_);
    }
    std::vector<std::string> options;
    if (part.rule != nullptr)
      options = names_of(part.rule->form.fields);
    else if (type != nullptr)  // a mistake already; do not complain of its options too
      for (const Node& child : node.children)
        if (section("optimizer").find(child.key) == nullptr) options.push_back(child.key);
    part.fields = read_fields(section("optimizer"), "optimizer " + node.key, node, options, &part.options, mistakes_);
    for (const Node& group : children(part.fields.get("groups"))) {
      if (group.kind != Node::Kind::Map) continue;  // a mistake already
      check_options(part, group.children, "group " + group.key);
      part.groups.emplace_back(key_of(group), group.children);
    }
    if (part.fields.given.count("schedule") != 0)
      part.schedule = bind(part.fields.get("schedule"), "schedule", schedules());
    if (is_plateau(part)) {
      if (part.fields.given.count("schedule_by") != 0)
        mistakes_.add(part.fields.get("schedule_by").key_place, "optimizer " + node.key +
                                                                    ": ReduceLROnPlateau counts evaluations, and no " +
                                                                    part.fields.text("schedule_by") + "s");
    } else if (part.fields.given.count("schedule_by") == 0 && part.schedule.row != nullptr && !recipe_.has_data() &&
               recipe_.data.fields.given.count("dataset") == 0) {
      mistakes_.add(part.fields.get("schedule").key_place,
                    "optimizer " + node.key + ": without a dataset there are no epochs; add `schedule_by: step`");
    }
    part.broken = mistakes_.size() != before;
    recipe_.optimizers.push_back(std::move(part));
  }

  static bool is_plateau(const OptimizerPart& part) {
    return part.schedule.row != nullptr && part.schedule.row->form.name == "ReduceLROnPlateau";
  }

  void check_plateaus() {
    for (const OptimizerPart& part : recipe_.optimizers)
      if (is_plateau(part) && part.schedule.fields.given.count("metric") != 0)
        find(part.schedule.fields.get("metric"), "metric", recipe_.metrics);
  }

  void check_options(const OptimizerPart& part, const OptionNodes& options, const std::string& owner) {
    if (part.rule == nullptr) return;
    for (const Node& option : options) {
      if (part.rule->form.find(option.key) == nullptr) {
        mistakes_.add(option.key_place,
                      fmt::format("{}: {} has no option '{}'{}", owner, part.rule->form.name, option.key,
                                  did_you_mean(option.key, names_of(part.rule->form.fields))));
      }
    }
  }

  void read_evaluation(const Node& node) {
    recipe_.evaluate.form = &section("evaluate");
    if (node.kind == Node::Kind::Null) return;
    recipe_.evaluate = read_fields(section("evaluate"), "evaluate", node, mistakes_);
    if (recipe_.evaluate.form == nullptr) return;
    read_expressions(recipe_.evaluate.get("metrics"), recipe_.metrics);
    if (recipe_.evaluate.given.count("best") != 0) read_best();
    const DataPart& data = recipe_.data;
    if (data.fields.form != nullptr && data.fields.given.count("dataset") != 0 &&
        data.fields.given.count("test") == 0 &&
        !(data.fields.given.count("held_out") != 0 && data.fields.number("held_out") > 0)) {
      mistakes_.add(node.key_place, "evaluate needs data of its own: add `test` or `held_out` to data");
    }
  }

  // `best: accuracy`, {accuracy: max}, or {metric: accuracy, mode: max}; `mode: max`, or {accuracy: max}.
  void read_best() {
    Node best = recipe_.evaluate.get("best"), mode = recipe_.evaluate.get("mode");
    if (best.kind == Node::Kind::Map && best.find("metric") != nullptr) {
      const Fields fields = read_fields(section("best"), "best", best, mistakes_);
      if (fields.given.count("mode") != 0) mode = fields.get("mode");
      best = fields.get("metric");
    } else if (best.kind == Node::Kind::Map) {
      if (best.children.size() != 1) {
        mistakes_.add(best.place,
                      "best: needs one metric, as in {accuracy: max}, got " + std::to_string(best.children.size()));
        return;
      }
      mode = best.children[0];
      best = key_of(mode);
    }
    if (mode.kind == Node::Kind::Map) {
      for (const Node& one : mode.children) find(key_of(one), "metric", recipe_.metrics);
      const Node* one = mode.find(best.text);
      mode = one != nullptr ? *one : Node{};
    }
    if (best.kind != Node::Kind::Scalar) {
      if (best.kind != Node::Kind::Null) mistakes_.add(best.place, "best: needs a metric, got " + best.describe());
      return;
    }
    const std::size_t before = mistakes_.size(), metric = find(best, "metric", recipe_.metrics);
    if (mistakes_.size() != before || metric >= recipe_.metrics.size()) return;
    recipe_.best = best.text;
    const Expression& expression = recipe_.metrics[metric].expression;
    const bool rises = expression.kind == Expression::Kind::Call && expression.text.ends_with("accuracy");
    if (mode.kind == Node::Kind::Null) mode.text = rises ? "max" : "min";
    if (mode.text != "min" && mode.text != "max")
      mistakes_.add(mode.place, "evaluate: mode needs 'min' or 'max', got " + mode.describe());
    recipe_.best_mode = mode.text;
  }

  void read_outputs(const Node& node) {
    recipe_.outputs = read_fields(section("outputs"), "outputs", node, mistakes_);
    if (recipe_.outputs.form == nullptr) return;
    Expression predict;
    if (recipe_.outputs.given.count("predict") != 0 &&
        parse_expression(recipe_.outputs.get("predict"), predict, mistakes_))
      recipe_.predict = std::move(predict);
    for (const Node& image : children(recipe_.outputs.get("images"))) {
      ImagePart part;
      part.name = image.key;
      part.fields = read_fields(section("image"), "image " + image.key, image, mistakes_);
      if (part.fields.form == nullptr || part.fields.given.count("show") == 0) continue;
      const Node& show = part.fields.get("show");
      part.show = {image.key, image.key_place, {}};
      if (part.fields.numbers("range").size() != 2)
        mistakes_.add(part.fields.get("range").place, "image " + image.key + ": range needs two numbers");
      if (parse_expression(show, part.show.expression, mistakes_)) recipe_.images.push_back(std::move(part));
    }
  }

  // Which of the named ones a node means; 0 with a mistake where none.
  template <class Named>
  std::size_t find(const Node& node, const char* what, const std::vector<Named>& all) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i].name == node.text) return i;
      names.push_back(all[i].name);
    }
    const bool broken = std::find(recipe_.broken.begin(), recipe_.broken.end(), node.text) != recipe_.broken.end();
    if (!broken && node.kind == Node::Kind::Scalar)
      mistakes_.add(node.place, fmt::format("there is no {} '{}'{}", what, node.text, did_you_mean(node.text, names)));
    return 0;
  }

  std::size_t optimizer_of(const Fields& fields) {
    if (fields.given.count("optimizer") != 0) return find(fields.get("optimizer"), "optimizer", recipe_.optimizers);
    if (recipe_.optimizers.size() > 1) {
      std::string names;
      for (const OptimizerPart& part : recipe_.optimizers) names += (names.empty() ? "" : ", ") + part.name;
      mistakes_.add(fields.place, "optimizer is missing, which is one of " + names);
    }
    return 0;
  }

  std::vector<Change> read_changes(const Node& map) {
    std::vector<Change> changes;
    for (const Node& node : children(map)) {
      Change change;
      const std::size_t before = mistakes_.size();
      change.optimizer = find(key_of(node), "optimizer", recipe_.optimizers);
      if (mistakes_.size() != before || change.optimizer >= recipe_.optimizers.size() || node.kind != Node::Kind::Map)
        continue;
      const OptimizerPart& part = recipe_.optimizers[change.optimizer];
      for (const Node& option : node.children) {
        if (option.key != "groups") {
          check_options(part, {option}, part.name);
          change.options.push_back(option);
          continue;
        }
        for (const Node& group : children(option)) {
          std::vector<std::string> known;
          for (const auto& [pattern, options] : part.groups) known.push_back(pattern.text);
          if (std::find(known.begin(), known.end(), group.key) == known.end()) {
            mistakes_.add(group.key_place, fmt::format("optimizer {} has no group '{}'{}", part.name, group.key,
                                                       did_you_mean(group.key, known)));
          }
          check_options(part, group.children, "group " + group.key);
          change.groups.emplace_back(key_of(group), group.children);
        }
      }
      changes.push_back(std::move(change));
    }
    return changes;
  }

  void read_phases(const Node& list) {
    for (const Node& node : children(list)) {
      const std::string number = std::to_string(recipe_.phases.size() + 1);
      const Fields fields = read_fields(section("phase"), "phase " + number, node, mistakes_);
      if (fields.form == nullptr) continue;
      Phase phase;
      phase.place = node.place;
      phase.name = fields.has("name") ? fields.text("name") : "phase " + number;
      const bool epochs = fields.given.count("epochs") != 0, steps = fields.given.count("steps") != 0;
      if (epochs == steps)
        mistakes_.add(node.place, "phase " + number + " needs epochs or steps, got " + (epochs ? "both" : "neither"));
      if (epochs) phase.epochs = fields.integer("epochs");
      if (steps) phase.steps = fields.integer("steps");
      if (epochs && recipe_.data.fields.form != nullptr && recipe_.data.fields.given.count("dataset") == 0)
        mistakes_.add(fields.get("epochs").key_place,
                      "phase " + number + ": epochs need a dataset; without one give steps");
      read_updates(fields, "phase " + number, phase);
      phase.freeze = fields.list("freeze");
      phase.unfreeze = fields.list("unfreeze");
      phase.use = children(fields.get("use"));
      phase.changes = read_changes(fields.get("change"));
      phase.scales = read_changes(fields.get("scale"));
      recipe_.phases.push_back(std::move(phase));
    }
    if (list.kind == Node::Kind::List && list.children.empty()) mistakes_.add(list.place, "phases: needs at least one");
  }

  void read_updates(const Fields& fields, const std::string& owner, Phase& phase) {
    const bool single = fields.given.count("minimize") != 0, several = fields.given.count("updates") != 0;
    if (several && fields.given.count("accumulate") != 0)
      mistakes_.add(fields.get("accumulate").key_place, owner + ": accumulate belongs to each of its updates");
    if (single == several) {
      mistakes_.add(fields.place, owner + " needs minimize or updates, got " + (single ? "both" : "neither"));
      return;
    }
    if (single) {
      const std::size_t loss = find(fields.get("minimize"), "loss", recipe_.losses);
      phase.updates.push_back({loss, optimizer_of(fields), 1, fields.integer("accumulate")});
      return;
    }
    for (const Node& node : children(fields.get("updates"))) {
      const Fields update = read_fields(section("update"), "update", node, mistakes_);
      if (update.form == nullptr || update.given.count("minimize") == 0) continue;
      const std::size_t loss = find(update.get("minimize"), "loss", recipe_.losses);
      phase.updates.push_back({loss, optimizer_of(update), std::max<std::int64_t>(update.integer("every"), 1),
                               std::max<std::int64_t>(update.integer("accumulate"), 1)});
    }
    if (children(fields.get("updates")).empty()) mistakes_.add(fields.place, owner + ": updates needs at least one");
  }

  // One namespace for all that expressions may use.
  void check_names() {
    std::vector<std::pair<std::string, std::string>> taken{{"batch", "the number of samples"}};
    if (recipe_.has_data()) {
      taken.emplace_back("x", "the data");
      taken.emplace_back("y", "the target");
    }
    const auto take = [&](const std::string& name, const Place& place, const char* what) {
      for (const auto& [known, is] : taken)
        if (known == name) mistakes_.add(place, fmt::format("the name '{}' is taken: it is {}", name, is));
      taken.emplace_back(name, what);
    };
    for (const NetworkPart& network : recipe_.networks) take(network.name, network.place, "a network");
    for (const NamedExpression& constant : recipe_.constants) take(constant.name, constant.place, "a constant");
    for (const NamedExpression& value : recipe_.values) take(value.name, value.place, "a value");
  }

  Recipe& recipe_;
  Mistakes& mistakes_;
};

}  // namespace

Recipe parse_recipe(const std::string& text, const std::string& file, const std::vector<std::string>& assignments,
                    Mistakes& mistakes) {
  Recipe recipe;
  recipe.name = std::filesystem::path(file).stem().string();
  recipe.text = text;
  recipe.evaluate.form = &section("evaluate");
  Node root = parse_yaml(text, file, mistakes);
  if (!mistakes.empty()) return recipe;
  for (const std::string& assignment : assignments) set(root, assignment, mistakes);
  if (root.place.file.empty()) root.place = {file, 1, 1};
  Reader(recipe, mistakes).read(root);
  return recipe;
}

Recipe parse_recipe(const std::string& text, const std::string& file, const std::vector<std::string>& assignments) {
  Mistakes mistakes;
  Recipe recipe = parse_recipe(text, file, assignments, mistakes);
  mistakes.raise();
  return recipe;
}

Recipe read_recipe(const std::string& path, const std::vector<std::string>& assignments, Mistakes& mistakes) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    throw IoError("cannot read the recipe '" + path + "': no such file");
  if (std::filesystem::file_size(path, error) > kMaxFile)
    throw IoError("'" + path + "' is not a recipe: it is too large");
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) throw IoError("cannot read the recipe '" + path + "': " + std::strerror(errno));
  return parse_recipe(text.str(), path, assignments, mistakes);
}

Recipe read_recipe(const std::string& path, const std::vector<std::string>& assignments) {
  Mistakes mistakes;
  Recipe recipe = read_recipe(path, assignments, mistakes);
  mistakes.raise();
  return recipe;
}

}  // namespace gradus::recipe
