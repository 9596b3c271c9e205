#include <gradus/autograd.h>
#include <gradus/core/version.h>
#include <gradus/distributed.h>
#include <gradus/io/load.h>
#include <gradus/io/pytorch.h>
#include <gradus/nn/freeze.h>
#include <gradus/optim/state/state_value.h>
#include <gradus/optim/zero_redundancy_optimizer.h>
#include <gradus/training/checkpoint.h>

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <map>

#include "core/tensor_access.h"
#include "io/file/damage.h"
#include "training/document.h"

namespace gradus::training {

using io::Value;

namespace {

Value names_value(const std::vector<std::string>& names) {
  Value list = Value::list();
  for (const std::string& name : names) list.push_back(name);
  return list;
}

std::vector<std::string> names_at(const Value& value, const char* key) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < value.size({key}); ++i) names.push_back(value.as_string({key, i}));
  return names;
}

// --- networks ---

// What was last asked of a parameter, which freezing overrides.
bool wants_grad(const Tensor& parameter) {
  return is_frozen(parameter) ? parameter.impl()->extras->wants_grad : parameter.requires_grad();
}

Value save_network(const nn::Module& network) {
  const nn::StateDict dict = network.state_dict();
  std::vector<std::string> without_grad;
  for (const auto& [name, parameter] : network.named_parameters())
    if (!wants_grad(parameter)) without_grad.push_back(name);
  return Value::dict({{"type", "network"},
                      {"state", io::to_value(dict)},
                      {"frozen", names_value(*dict.frozen)},
                      {"without_grad", names_value(without_grad)}});
}

void load_network(nn::Module& network, const Value& part, bool check_only) {
  nn::StateDict dict = io::to_state_dict(part.at({"state"}));
  dict.frozen = names_at(part, "frozen");
  const std::vector<std::string> without_grad = names_at(part, "without_grad");
  network.load_state_dict(dict, {.check_only = true});
  // load_state_dict converts types, as PyTorch's does; the bits would be others.
  for (const auto& [name, tensor] : network.state_dict()) {
    if (dict.at(name).dtype() != tensor.dtype()) {
      throw ValueError(name + " is " + to_string(tensor.dtype()) + " here, " + to_string(dict.at(name).dtype()) +
                       " in the file");
    }
  }
  if (check_only) return;
  network.load_state_dict(dict, {.freezing = true});
  for (const auto& [name, parameter] : network.named_parameters()) {
    const bool without = std::find(without_grad.begin(), without_grad.end(), name) != without_grad.end();
    if (wants_grad(parameter) == without) Tensor(parameter).requires_grad_(!without);
  }
}

// --- schedules ---

Value save_numbers(const std::map<std::string, double>& numbers) {
  Value dict = Value::dict();
  for (const auto& [key, number] : numbers) dict.set(key, number);
  return dict;
}

std::map<std::string, double> load_numbers(const Value& dict) {
  std::map<std::string, double> numbers;
  for (const auto& [key, number] : dict.entries()) numbers[key.to_string()] = dict.as_double({key});
  return numbers;
}

// Puts the options of an optimizer back.
class OptionsGuard {
 public:
  explicit OptionsGuard(optim::Optimizer& optimizer) : optimizer_(optimizer) {
    for (std::size_t g = 0; g < optimizer.group_count(); ++g)
      for (const std::string& name : optimizer.option_names()) options_.push_back({g, name, optimizer.option(g, name)});
  }
  ~OptionsGuard() {
    for (const auto& [group, name, value] : options_) optimizer_.set_option(group, name, value);
  }
  OptionsGuard(const OptionsGuard&) = delete;
  OptionsGuard& operator=(const OptionsGuard&) = delete;

 private:
  struct Option {
    std::size_t group;
    std::string name;
    optim::OptionValue value;
  };
  optim::Optimizer& optimizer_;
  std::vector<Option> options_;
};

std::map<std::string, optim::OptimizerState> load_set(const Value& dict) {
  std::map<std::string, optim::OptimizerState> states;
  for (const auto& [key, state] : dict.entries()) states[key.to_string()] = optim::to_optimizer_state(state);
  return states;
}

void need_kind(const Value& value, Value::Kind kind) {
  if (!value.is(kind))
    throw ValueError(std::string("need a ") + io::to_string(kind) + ", got " + value.to_string().substr(0, 60));
}

Value typed(const char* type, Value state) { return Value::dict({{"type", type}, {"state", std::move(state)}}); }

constexpr const char* kScheduler = "scheduler";
constexpr const char* kCustom = "custom";

}  // namespace

Checkpoint::Checkpoint() { add("default_generator", default_generator()); }

void Checkpoint::add_part(Part part) {
  for (const Part& other : parts_)
    if (other.name == part.name) throw ValueError("Checkpoint.add: there is a part '" + part.name + "' already");
  parts_.push_back(std::move(part));
}

void Checkpoint::add(const std::string& name, nn::Module& network) {
  add_part({name, "network", [&network] { return save_network(network); },
            [&network](const Value& part) { load_network(network, part, true); },
            [&network](const Value& part) { load_network(network, part, false); }});
}

void Checkpoint::add(const std::string& name, optim::Optimizer& optimizer) {
  const auto load = [&optimizer](const Value& part, bool check_only) {
    optimizer.load_state_dict(optim::to_optimizer_state(part.at({"state"})), {.check_only = check_only});
  };
  add_part({name, "optimizer", [&optimizer] { return typed("optimizer", optim::to_value(optimizer.state_dict())); },
            [load](const Value& part) { load(part, true); }, [load](const Value& part) { load(part, false); }});
  if (auto* sharded = dynamic_cast<optim::ShardedOptimizer*>(&optimizer)) shared_out_.push_back(sharded);
}

void Checkpoint::add(const std::string& name, optim::Set& optimizers) {
  const auto save = [&optimizers] {
    Value states = Value::dict();
    for (const auto& [member, state] : optimizers.state_dict()) states.set(member, optim::to_value(state));
    return typed("optimizers", states);
  };
  const auto load = [&optimizers](const Value& part, bool check_only) {
    optimizers.load_state_dict(load_set(part.at({"state"})), {.check_only = check_only});
  };
  add_part({name, "optimizers", save, [load](const Value& part) { load(part, true); },
            [load](const Value& part) { load(part, false); }});
}

namespace {

// A scheduler writes options when it loads: a copy of it tries, and the options are put back.
template <class Scheduler>
void check_scheduler(const Scheduler& scheduler, const Value& part) {
  const OptionsGuard guard(scheduler.optimizer());
  Scheduler(scheduler).load_state_dict(load_numbers(part.at({"state"})));
}

}  // namespace

void Checkpoint::add(const std::string& name, optim::lr_scheduler::LRScheduler& scheduler) {
  add_part({name, kScheduler, [&scheduler] { return typed(kScheduler, save_numbers(scheduler.state_dict())); },
            [&scheduler](const Value& part) { check_scheduler(scheduler, part); },
            [&scheduler](const Value& part) { scheduler.load_state_dict(load_numbers(part.at({"state"}))); }});
}

void Checkpoint::add(const std::string& name, optim::lr_scheduler::ReduceLROnPlateau& scheduler) {
  add_part({name, kScheduler, [&scheduler] { return typed(kScheduler, save_numbers(scheduler.state_dict())); },
            [&scheduler](const Value& part) { check_scheduler(scheduler, part); },
            [&scheduler](const Value& part) { scheduler.load_state_dict(load_numbers(part.at({"state"}))); }});
}

void Checkpoint::add(const std::string& name, Generator& generator) {
  const auto save = [&generator] {
    return typed("generator", Value::dict({{"seed", std::bit_cast<std::int64_t>(generator.seed())},
                                           {"offset", std::bit_cast<std::int64_t>(generator.offset())}}));
  };
  const auto read = [](const Value& part) {
    Generator saved(std::bit_cast<std::uint64_t>(part.as_int({"state", "seed"})));
    saved.set_offset(std::bit_cast<std::uint64_t>(part.as_int({"state", "offset"})));
    return saved;
  };
  add_part({name, "generator", save, [read](const Value& part) { read(part); },
            [read, &generator](const Value& part) { generator = read(part); }});
}

template <class T>
void Checkpoint::add_plain(const std::string& name, T& object, T (*read)(const Value& state)) {
  add_part({name, "value", [&object] { return typed("value", object); },
            [read](const Value& part) { read(part.at({"state"})); },
            [read, &object](const Value& part) { object = read(part.at({"state"})); }});
}

void Checkpoint::add(const std::string& name, Tensor& tensor) {
  add_plain<Tensor>(name, tensor, [](const Value& state) {
    if (state.is_none()) return Tensor();
    const Tensor saved = state.as_tensor();
    return saved.detach().clone().requires_grad_(saved.requires_grad());
  });
}

void Checkpoint::add(const std::string& name, bool& flag) {
  add_plain<bool>(name, flag, [](const Value& state) { return state.as_bool(); });
}

void Checkpoint::add(const std::string& name, std::int64_t& number) {
  add_plain<std::int64_t>(name, number, [](const Value& state) { return state.as_int(); });
}

void Checkpoint::add(const std::string& name, double& number) {
  add_plain<double>(name, number, [](const Value& state) {
    need_kind(state, Value::Kind::Double);
    return state.as_double();
  });
}

void Checkpoint::add(const std::string& name, std::string& text) {
  add_plain<std::string>(name, text, [](const Value& state) { return state.as_string(); });
}

void Checkpoint::add(const std::string& name, Value& value) {
  add_plain<Value>(name, value, [](const Value& state) { return copied(state); });
}

void Checkpoint::add(const std::string& name, std::function<Value()> save, std::function<void(const Value&)> load) {
  add_part({name, kCustom, [save = std::move(save)] { return typed(kCustom, save()); }, nullptr,
            [load = std::move(load)](const Value& part) { load(part.at({"state"})); }});
}

Value Checkpoint::document(bool copy) const {
  Value parts = Value::dict();
  const NoGrad guard;
  Copier copier(copy);
  for (const Part& part : parts_) {
    const bool fresh = part.type == "optimizer" || part.type == "optimizers";  // their state dicts are copies
    parts.set(part.name, fresh ? part.save() : copier(part.save()));
  }
  return Value::dict({{"format", kFormat},
                      {"format_version", kFormatVersion},
                      {"library", version()},
                      {"options", options},
                      {"parts", parts}});
}

void Checkpoint::consolidate() {
  for (optim::ShardedOptimizer* optimizer : shared_out_) optimizer->consolidate_state_dict();
}

void Checkpoint::release() {
  for (optim::ShardedOptimizer* optimizer : shared_out_) optimizer->release_state_dict();
}

bool Checkpoint::is_shared_out() const { return !shared_out_.empty() && distributed::size() > 1; }

Value Checkpoint::state_dict() const { return document(true); }

void Checkpoint::save(const std::string& path) const { io::save_pytorch(path, document(false)); }

LoadReport Checkpoint::load_state_dict(const Value& document, const LoadOptions& options) {
  const Value saved = checked_document(document).at({"parts"});
  LoadReport report;
  std::vector<std::pair<const Part*, Value>> found;
  for (const Part& part : parts_) {
    if (saved.contains({part.name})) {
      found.emplace_back(&part, saved.at({part.name}));
      report.loaded.push_back(part.name);
    } else {
      report.missing.push_back(part.name);
    }
  }
  for (const auto& [key, value] : saved.entries()) {
    const std::string name = key.to_string();
    if (std::none_of(parts_.begin(), parts_.end(), [&](const Part& p) { return p.name == name; }))
      report.unexpected.push_back(name);
  }
  if (options.strict && !(report.missing.empty() && report.unexpected.empty()))
    throw ValueError("Checkpoint.load: the parts do not agree: " + report.to_string());

  const auto named = [](const Part& part, auto&& call) {
    try {
      call();
    } catch (const ValueError& e) {
      throw ValueError("Checkpoint.load: part '" + part.name + "': " + e.what());
    }
  };
  for (const auto& [part, value] : found) {
    named(*part, [&, &part = *part, &value = value] {
      if (const std::string type = value.as_string({"type"}); type != part.type)
        throw ValueError("is of type " + part.type + " here, " + type.substr(0, 60) + " in the file");
      if (part.check) part.check(value);
    });
  }
  // Those that only loading can check come first: until all of them have loaded, they can go back.
  std::vector<std::pair<const Part*, Value>> before;
  try {
    for (const auto& [part, value] : found) {
      if (part->check) continue;
      before.emplace_back(part, copied(part->save()));
      named(*part, [&part = *part, &value = value] { part.load(value); });
    }
  } catch (...) {
    for (const auto& [part, value] : before) {
      try {
        part->load(value);
      } catch (...) {  // the one that refused may have changed nothing, and refuse this too
      }
    }
    throw;
  }
  // Schedules write options of optimizers, and so come after them.
  for (const bool schedulers : {false, true}) {
    for (const auto& [part, value] : found)
      if (part->check && (part->type == kScheduler) == schedulers) part->load(value);
  }
  return report;
}

namespace {

template <class Call>
auto name_file(const std::string& path, Call&& call) {
  try {
    return call();
  } catch (const ValueError& e) {
    throw ValueError(path + ": " + e.what());
  }
}

// What a run keeps (a history, say) may be small in a file and large in memory. The limit is the machine's memory.
Value load_document(const std::string& path, bool verify) {
  if (verify) io::read_through(path);
  const auto memory =
      static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGE_SIZE));
  return io::load_pytorch(path, {.verify = verify, .memory = memory});
}

CheckpointInfo info_of(const Value& document) {
  CheckpointInfo info;
  info.format_version = document.as_int({"format_version"});
  info.gradus_version = document.as_string({"library"});
  info.options = copied(document.at({"options"}));
  if (document.contains({"step"})) info.step = document.as_int({"step"});
  if (document.contains({"metric"})) info.metric = document.as_double({"metric"});
  for (const auto& [key, part] : document.entries({"parts"})) info.parts.push_back(key.to_string());
  return info;
}

}  // namespace

LoadReport Checkpoint::load(const std::string& path, const LoadOptions& options) {
  const Value document = load_document(path, options.verify);
  return name_file(path, [&] { return load_state_dict(document, options); });
}

CheckpointInfo read_info(const std::string& path) {
  const Value document = load_document(path, false);
  return name_file(path, [&] { return info_of(checked_document(document)); });
}

}  // namespace gradus::training
