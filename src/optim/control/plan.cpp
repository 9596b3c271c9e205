#include <gradus/nn/freeze.h>
#include <gradus/optim/control/plan.h>

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <unordered_map>

#include "optim/audit/names.h"
#include "text/table.h"
#include "text/units.h"

namespace gradus::optim {

namespace {

using Status = AuditRow::Status;

Status status_of(const Tensor& parameter) {
  if (is_frozen(parameter)) return Status::frozen;
  return parameter.requires_grad() ? Status::trainable : Status::off;
}

// "features.*" of "features.0.weight" and "features.3.bias"; the name itself of one.
std::string common_pattern(const std::vector<std::string>& names) {
  if (names.size() == 1) return names.front();
  std::string common = names.front();
  for (const std::string& name : names) {
    const auto end = std::mismatch(common.begin(), common.end(), name.begin(), name.end()).first;
    common.erase(end, common.end());
  }
  const std::size_t dot = common.rfind('.');
  return dot == common.npos ? "*" : common.substr(0, dot) + ".*";
}

std::optional<double> number_option(const Optimizer& optimizer, std::size_t group, const char* name) {
  const auto names = optimizer.option_names();
  if (std::find(names.begin(), names.end(), name) == names.end()) return {};
  const OptionValue value = optimizer.option(group, name);
  const double* number = std::get_if<double>(&value);
  return number == nullptr ? std::optional<double>() : *number;
}

// Where a parameter is in the optimizers.
struct Owner {
  std::size_t optimizer, group;
  auto operator<=>(const Owner&) const = default;
};

std::vector<Owner> owners_of(const AuditedOptimizers& optimizers, const Tensor& parameter) {
  std::vector<Owner> owners;
  for (std::size_t o = 0; o < optimizers.size(); ++o)
    for (std::size_t g = 0; g < optimizers[o].get().group_count(); ++g)
      for (const auto& [name, tensor] : optimizers[o].get().group_params(g))
        if (tensor.is_same(parameter)) owners.push_back({o, g});
  return owners;
}

std::string schedules_of(const Optimizer& optimizer, const PlanOptions& options) {
  std::string text;
  const auto add = [&](const Optimizer& scheduled, const std::string& name) {
    if (&scheduled == &optimizer) text += (text.empty() ? "" : ", ") + name;
  };
  for (const lr_scheduler::LRScheduler& schedule : options.schedules) add(schedule.optimizer(), schedule.name());
  for (const lr_scheduler::ReduceLROnPlateau& plateau : options.plateaus) add(plateau.optimizer(), "ReduceLROnPlateau");
  return text;
}

// What a layer costs without the layers in it.
struct OwnCost {
  std::string path;
  double forward, backward, kept;
};

std::vector<OwnCost> own_costs(const nn::Summary& summary) {
  std::vector<OwnCost> costs;
  const auto& layers = summary.layers;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto number = [](std::int64_t n) { return static_cast<double>(n); };
    OwnCost own{layers[i].path, number(layers[i].forward.flops), number(layers[i].backward.flops),
                number(layers[i].saved_bytes)};
    for (std::size_t j = i + 1; j < layers.size() && layers[j].depth > layers[i].depth; ++j) {
      if (layers[j].depth != layers[i].depth + 1) continue;
      own.forward -= number(layers[j].forward.flops);
      own.backward -= number(layers[j].backward.flops);
      own.kept -= number(layers[j].saved_bytes);
    }
    costs.push_back(own);
  }
  return costs;
}

std::string module_of(const std::string& parameter) {
  const std::size_t dot = parameter.rfind('.');
  return dot == parameter.npos ? "" : parameter.substr(0, dot);
}

using Key = std::tuple<std::vector<Owner>, Status>;

std::vector<PlanRow> rows_of(const AuditedModels::Model& net, const AuditedOptimizers& optimizers,
                             const PlanOptions& options) {
  const std::string& model = net.name;
  std::vector<PlanRow> rows;
  std::vector<Key> keys;
  std::vector<std::vector<std::string>> names;
  std::unordered_map<std::string, std::size_t> row_of_module;
  for (const auto& [name, tensor] : net.named_parameters()) {
    const Key key{owners_of(optimizers, tensor), status_of(tensor)};
    const auto at = static_cast<std::size_t>(std::find(keys.begin(), keys.end(), key) - keys.begin());
    if (at == keys.size()) {
      keys.push_back(key);
      rows.emplace_back();
      names.emplace_back();
    }
    PlanRow& row = rows[at];
    names[at].push_back(name);
    row_of_module.try_emplace(module_of(name), at);
    const std::int64_t bytes = tensor.numel() * tensor.element_size();
    ++row.tensors;
    row.parameters += tensor.numel();
    row.status = std::get<Status>(key);
    row.weight_bytes += bytes;
    if (row.status != Status::trainable) continue;
    row.gradient_bytes += bytes;
    for (const Owner& owner : std::get<0>(key)) {
      const auto state = optimizers[owner.optimizer].get().state_bytes(tensor);
      row.state_bytes = state && row.state_bytes ? std::optional(*row.state_bytes + *state) : std::nullopt;
    }
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    PlanRow& row = rows[i];
    row.model = model;
    std::set<std::string> schedules;
    for (const Owner& owner : std::get<0>(keys[i])) {
      const Optimizer& optimizer = optimizers[owner.optimizer];
      row.optimizer += fmt::format("{}{}[{}]", row.optimizer.empty() ? "" : ", ", optimizer.name(), owner.group);
      row.lr = number_option(optimizer, owner.group, "lr");
      row.decay = number_option(optimizer, owner.group, "weight_decay");
      if (row.group.empty()) row.group = optimizer.group_name(owner.group);
      if (const std::string schedule = schedules_of(optimizer, options); !schedule.empty()) schedules.insert(schedule);
    }
    row.schedule = fmt::format("{}", fmt::join(schedules, ", "));
    if (row.group.empty()) row.group = common_pattern(names[i]);
  }
  const auto costs = options.costs.find(model);
  if (costs == options.costs.end()) return rows;
  PlanRow others;
  others.model = model;
  others.group = "without parameters";
  const auto samples = static_cast<double>(options.samples);
  for (const OwnCost& cost : own_costs(costs->second)) {
    const auto found = row_of_module.find(cost.path);
    PlanRow& row = found == row_of_module.end() ? others : rows[found->second];
    row.forward_flops += cost.forward / samples;
    row.backward_flops += cost.backward / samples;
    row.kept_bytes += cost.kept / samples;
  }
  if (others.forward_flops + others.backward_flops + others.kept_bytes > 0) rows.push_back(others);
  return rows;
}

const char* text_of(Status status) {
  return status == Status::frozen ? "frozen" : status == Status::off ? "off" : "yes";
}

std::string name_of(const PlanRow& row) {
  if (row.model.empty()) return row.group;
  return row.model + ": " + row.group;
}

std::string number_text(const std::optional<double>& x) { return x ? fmt::format("{:.3g}", *x) : "-"; }
std::string count_text(double x) { return x > 0 ? short_count(x) : "-"; }
std::string bytes_text(double x) { return x > 0 ? byte_count(x) : "-"; }

}  // namespace

PlanRow Plan::total() const {
  PlanRow sum;
  for (const PlanRow& row : rows) {
    sum.tensors += row.tensors;
    sum.parameters += row.parameters;
    sum.weight_bytes += row.weight_bytes;
    sum.gradient_bytes += row.gradient_bytes;
    *sum.state_bytes += row.state_bytes.value_or(0);
    sum.forward_flops += row.forward_flops;
    sum.backward_flops += row.backward_flops;
    sum.kept_bytes += row.kept_bytes;
  }
  return sum;
}

std::string Plan::to_string() const {
  const PlanRow sum = total();
  Table who({{"parameters of"},
             {"tensors", true},
             {"numbers", true},
             {"trained"},
             {"optimizer"},
             {"rate", true},
             {"decay", true},
             {"schedule"}});
  std::int64_t trainable = 0;
  for (const PlanRow& row : rows) {
    if (row.tensors == 0) continue;
    if (row.status == Status::trainable) trainable += row.parameters;
    who.add({name_of(row), grouped(row.tensors), grouped(row.parameters), text_of(row.status),
             row.optimizer.empty() ? "-" : row.optimizer, number_text(row.lr), number_text(row.decay),
             row.schedule.empty() ? "-" : row.schedule});
  }
  who.rule();
  who.add({"all", grouped(sum.tensors), grouped(sum.parameters), grouped(trainable) + " of them"});

  Table what({{"memory and work"},
              {"weights", true},
              {"gradients", true},
              {"state", true},
              {"kept/sample", true},
              {"forward/sample", true},
              {"backward/sample", true}});
  const auto add = [&](const std::string& name, const PlanRow& row) {
    what.add({name, bytes_text(static_cast<double>(row.weight_bytes)),
              bytes_text(static_cast<double>(row.gradient_bytes)),
              row.state_bytes ? bytes_text(static_cast<double>(*row.state_bytes)) : "?",
              has_costs ? bytes_text(row.kept_bytes) : "", has_costs ? count_text(row.forward_flops) : "",
              has_costs ? count_text(row.backward_flops) : ""});
  };
  for (const PlanRow& row : rows) add(name_of(row), row);
  what.rule();
  add("all", sum);

  std::string text = who.to_string() + "\n" + what.to_string();
  for (const AuditFinding& finding : findings) text += gradus::optim::text_of(finding);
  return text + (findings.empty() ? "\nthe audit finds nothing\n" : "");
}

Plan plan(const AuditedModels& models, const AuditedOptimizers& optimizers, const PlanOptions& options) {
  if (models.empty()) throw ValueError("plan: needs at least one network");
  if (options.samples < 1) throw ValueError(fmt::format("plan: samples must be positive, got {}", options.samples));
  Plan result;
  std::vector<std::string> names;
  for (const auto& model : models) {
    names.push_back(model.name);
    auto rows = rows_of(model, optimizers, options);
    result.rows.insert(result.rows.end(), rows.begin(), rows.end());
  }
  for (const auto& [name, summary] : options.costs)
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw ValueError("plan: costs: there is no network '" + name + "'" + did_you_mean(name, names));
  result.has_costs = !options.costs.empty();
  AuditedOptimizers all = optimizers;
  all.insert(all.end(), options.others.begin(), options.others.end());
  result.findings = audit(models, all).findings;
  return result;
}

}  // namespace gradus::optim
