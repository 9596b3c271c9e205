// What all optimizers share: groups, defaults, checks, state, and the step. Included by each rule's file.
#pragma once

#include <gradus/autograd/op.h>

#include <algorithm>
#include <unordered_map>

#include "core/recorded_step.h"
#include "optim/averages/averages.h"
#include "optim/engine/load_state.h"
#include "optim/engine/step_log.h"

namespace gradus::optim {

std::string group_place(std::size_t index, const std::string& name);  // "group 1 ('head')"
// Throws where a parameter of `group` is undefined, not a leaf, there twice, or in one of the groups before.
void check_params(const char* optimizer, const std::string& place, const Params& group,
                  const std::vector<std::vector<Entry>>& before, std::span<const std::string> places);
// A name that no entry has: the given one, the tensor's, "param.3", with "#2" where that is taken.
std::string unique_name(const NamedTensor& given, const std::vector<std::vector<Entry>>& entries,
                        const std::vector<Entry>& group);
// Before each step, as parameters may have been converted since the last: contiguous, float32 or float64, with a
// gradient (undefined: none) like them.
void check_gradient(const char* optimizer, const Entry& entry, const Tensor& grad);

template <class Options>
struct __attribute__((visibility("hidden"))) OptimizerOf<Options>::Engine {
  using Rule = RuleOf<Options>;
  std::vector<std::vector<Entry>> entries;  // one list per group
  std::vector<std::size_t> ids;             // of the groups
  std::size_t next_id = 0;
  std::vector<Piece> pieces;  // kept between steps for its memory
  std::vector<Rule> rules;
  std::shared_ptr<std::conditional_t<KeepsAverages<Options>, Averages<Options>, int>> averages;  // null before a group

  static constexpr bool has_whole = requires { &Rule::update_whole; };
  static constexpr bool has_all = requires { &Rule::update_all; };
  static constexpr bool has_choice = requires(const Options& o, const Tensor& p) { Rule::whole(o, p); };
  static bool whole(const Options& o, const Tensor& p) {
    if constexpr (has_choice) return Rule::whole(o, p);
    return has_whole;
  }
  static std::vector<const char*> state_names(const Options& o, const Tensor& p) {
    if constexpr (requires { Rule::state(o, p); })
      return Rule::state(o, p);
    else
      return Rule::state(o);
  }
  static Shape state_sizes(const Tensor& p, const char* state) {
    if constexpr (requires { Rule::sizes(p, state); })
      return Rule::sizes(p, state);
    else
      return p.sizes();
  }

  static Dtype state_dtype(const Tensor& p, const char* state) {
    if constexpr (requires { Rule::dtype(p, state); })
      return Rule::dtype(p, state);
    else
      return p.dtype();
  }

  static void check(const std::string& place, const Options& o) {
    for_each_option<Rule>([&](const auto& field) { check_field(Rule::name, place, field, o); });
    if constexpr (requires { Rule::check(o); }) {
      if (const char* rule = Rule::check(o)) {
        throw ValueError(std::string(Rule::name) + ": " + place + ": " + rule);
      }
    }
    if constexpr (requires(const Tensor& p) { Rule::check_parameter(o, p); }) {
      for (std::size_t i = 0; i < o.params.size(); ++i) {
        const Tensor& p = o.params[i].second;
        const char* rule = p.defined() ? Rule::check_parameter(o, p) : nullptr;
        if (rule == nullptr) continue;
        throw ValueError(std::string(Rule::name) + ": " + place + ": parameter " + std::to_string(i) + " ('" +
                         o.params[i].first + "') of " + gradus::to_string(p.sizes()) + " " + rule);
      }
    }
  }

  static Options resolved(const Options& group, const Options& defaults) {
    Options o = group;
    for_each_option<Rule>([&](const auto& field) { resolve(field, o, defaults); });
    return o;
  }

  static void check_gradients(const std::vector<Entry>& group) {
    for (const Entry& entry : group) {
      const Tensor grad = entry.param.grad();
      if (has_all || (grad.defined() && !gradus::detail::is_frozen(*entry.param.impl())))
        check_gradient(Rule::name, entry, grad);
    }
  }

  static bool state_fits(const Tensor& p, const char* state, const Shape& sizes) {
    if constexpr (requires { Rule::fits(p, state, sizes); }) {
      return Rule::fits(p, state, sizes);
    } else {
      return sizes == state_sizes(p, state);
    }
  }

  // The state tensors this update uses, made where they are missing.
  static bool prepare_state(const Options& o, Entry& entry, std::vector<Tensor>& state) {
    state.clear();
    for (auto& [key, tensor] : entry.tensors)  // after the parameter was converted or moved (Module::to)
      tensor = tensor.to(entry.param.device()).to(state_dtype(entry.param, key));
    bool fresh = entry.step == 0;
    for (const char* name : state_names(o, entry.param)) {
      Tensor* tensor = entry.find(name);
      if (tensor == nullptr) {
        core::refuse_recording(Rule::name, "the state of '" + entry.name + "' would be made in it, at each step anew");
        fresh = true;
        double initial = 0;
        if constexpr (requires { Rule::initial(o, name); }) initial = Rule::initial(o, name);
        entry.tensors.emplace_back(name,
                                   full(state_sizes(entry.param, name), initial,
                                        {.dtype = state_dtype(entry.param, name), .device = entry.param.device()}));
        tensor = &entry.tensors.back().second;
      }
      state.push_back(*tensor);
    }
    return fresh;
  }

  void update_group(const Options& o, std::vector<Entry>& group) {
    std::vector<Tensor> state;
    std::vector<Tensor> held;  // contiguous gradients, while their pieces are used
    Moment last;
    Numbers last_after{};
    Device device;
    Dtype dtype = kFloat32;
    std::size_t count = 0;  // of the pieces' tensors of state
    for (Entry& entry : group) {
      const Tensor raw = entry.param.grad();
      if (!raw.defined() || gradus::detail::is_frozen(*entry.param.impl())) continue;
      if constexpr (KeepsAverages<Options>) Averages<Options>::show(o, entry, false);
      const Tensor grad = raw.contiguous();
      const bool fresh = prepare_state(o, entry, state);
      Moment now{entry.step + 1, fresh, entry.numbers};
      if (whole(o, entry.param)) {
        if constexpr (has_whole) {
          core::refuse_recording(Rule::name, "it computes numbers of an update on the host");
          Tensor p = entry.param.detach();
          Rule::update_whole(o, now, p, grad.detach(), state);
          entry.numbers = now.numbers;
        }
      } else if constexpr ((!has_whole && !has_all) || has_choice) {
        if (!pieces.empty() &&
            (entry.param.device() != device || entry.param.dtype() != dtype || state.size() != count)) {
          flush(device, dtype, count);
        }
        device = entry.param.device();
        dtype = entry.param.dtype();
        count = state.size();
        // Parameters that have been updated equally often share their numbers.
        if (pieces.empty() || now.step != last.step || now.fresh != last.fresh || now.numbers != last.numbers) {
          last = now;
          rules.emplace_back(o, now);
          last_after = now.numbers;
        }
        entry.numbers = last_after;
        const auto data = [&](const Tensor& x) { return detail::elements(x, dtype, entry.param.numel()); };
        Piece piece{data(entry.param), data(grad), {}, entry.param.numel(), rules.size() - 1};
        for (std::size_t i = 0; i < state.size(); ++i)
          piece.state[i] = detail::elements(state[i], state[i].dtype(), state[i].numel());
        pieces.push_back(piece);
        if (!grad.is_same(raw)) held.push_back(grad);
        gradus::detail::bump_version(entry.param);
      }
      ++entry.step;
    }
    flush(device, dtype, count);
  }

  // Brings back what an update changes, but for the elements.
  std::function<void()> restorer() {
    struct Saved {
      std::int64_t step;
      std::size_t tensors;
      Numbers numbers;
      bool averaged;
    };
    std::vector<Saved> saved;
    for (const auto& group : entries)
      for (const Entry& e : group) saved.push_back({e.step, e.tensors.size(), e.numbers, e.averaged});
    return [this, saved = std::move(saved)] {
      auto from = saved.begin();
      for (auto& group : entries) {
        for (Entry& e : group) {
          e.step = from->step;
          e.tensors.erase(e.tensors.begin() + static_cast<std::ptrdiff_t>(from->tensors), e.tensors.end());
          e.numbers = from->numbers;
          e.averaged = from->averaged;
          ++from;
        }
      }
    };
  }

  void flush(Device device, Dtype dtype, std::size_t state_count) {
    if constexpr ((!has_whole && !has_all) || has_choice) {
      if (!pieces.empty()) {
        visit<float, double>(Rule::name, dtype, [&]<class T>(T) {
          kernels(device).update(pieces, kernel::rules_of<Rule, T>(rules, state_count));
        });
      }
    }
    pieces.clear();
    rules.clear();
  }

  // False where there is no such option.
  static bool assign(Options& o, const std::string& option, const OptionValue& value) {
    bool found = false;
    for_each_option<Rule>([&](const auto& field) {
      if (option != field.name) return;
      assign_option(Rule::name, field, o, value);
      found = true;
    });
    return found;
  }

  static constexpr StateOfRule state_of_rule() {
    return {Rule::name, state_sizes, state_dtype, state_fits, numbers_of<Rule>()};
  }

  Entry* find(const Tensor& parameter) {
    for (auto& group : entries)
      for (Entry& entry : group)
        if (entry.param.is_same(parameter)) return &entry;
    return nullptr;
  }
};

template <class Options>
OptimizerOf<Options>::OptimizerOf(const Params& params, const Options& defaults)
    : OptimizerOf(std::vector<Options>{[&] {
                    Options group;
                    group.params = params;
                    return group;
                  }()},
                  defaults) {}

template <class Options>
OptimizerOf<Options>::OptimizerOf(const std::vector<Options>& groups, const Options& defaults)
    : defaults_(Engine::resolved(defaults, Options{})), engine_(std::make_unique<Engine>()) {
  if (!defaults.params.empty()) throw ValueError(std::string(name()) + ": the defaults must not hold params");
  Engine::check("defaults", defaults_);
  if (groups.empty()) throw ValueError(std::string(name()) + ": needs at least one group of parameters, got none");
  for (const Options& group : groups) add_param_group(group);
}

template <class Options>
OptimizerOf<Options>::~OptimizerOf() {
  if constexpr (KeepsAverages<Options>)
    for (std::size_t i = 0; i < groups_.size(); ++i) engine_->averages->release(i);
}

template <class Options>
const char* OptimizerOf<Options>::name() const {
  return RuleOf<Options>::name;
}

template <class Options>
void OptimizerOf<Options>::add_param_group(const Options& group) {
  const std::string place = group_place(groups_.size(), group.name);
  const Options options = Engine::resolved(group, defaults_);
  Engine::check(place, options);
  std::vector<std::string> places;
  for (std::size_t i = 0; i < groups_.size(); ++i) places.push_back(group_place(i, groups_[i].name));
  if (Engine::has_all && !groups_.empty()) throw ValueError(std::string(name()) + ": takes one group, got another");
  check_params(name(), place, options.params, engine_->entries, places);
  std::vector<Entry> entries;
  for (const NamedTensor& given : options.params) {
    Entry entry;
    entry.param = given.second;
    entry.name = unique_name(given, engine_->entries, entries);
    entry.numbers = initial_numbers(numbers_of<RuleOf<Options>>());
    entries.push_back(std::move(entry));
  }
  groups_.push_back(options);
  engine_->entries.push_back(std::move(entries));
  engine_->ids.push_back(engine_->next_id++);
  if constexpr (KeepsAverages<Options>) {
    if (!engine_->averages) engine_->averages = std::make_shared<Averages<Options>>(groups_, engine_->entries);
    for (const Entry& entry : engine_->entries.back())
      gradus::detail::extras(*entry.param.impl()).weight_view = engine_->averages;
  }
}

template <class Options>
void OptimizerOf<Options>::remove_param_group(std::size_t group) {
  if (group >= groups_.size()) {
    throw IndexError(std::string(name()) + ".remove_param_group: there are " + std::to_string(groups_.size()) +
                     " groups, got " + std::to_string(group));
  }
  if constexpr (KeepsAverages<Options>) engine_->averages->release(group);
  groups_.erase(groups_.begin() + static_cast<std::ptrdiff_t>(group));
  engine_->entries.erase(engine_->entries.begin() + static_cast<std::ptrdiff_t>(group));
  engine_->ids.erase(engine_->ids.begin() + static_cast<std::ptrdiff_t>(group));
}

template <class Options>
std::string OptimizerOf<Options>::group_name(std::size_t group) const {
  return groups_.at(group).name;
}

template <class Options>
std::size_t OptimizerOf<Options>::group_id(std::size_t group) const {
  return engine_->ids.at(group);
}

template <class Options>
void OptimizerOf<Options>::update() {
  // A group whose option was cleared takes the default again. Nothing is updated unless everything is valid.
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    for_each_option<RuleOf<Options>>([&](const auto& field) { resolve(field, groups_[i], defaults_); });
    Engine::check(group_place(i, groups_[i].name), groups_[i]);
  }
  NoGrad guard;
  for (const auto& group : engine_->entries) Engine::check_gradients(group);
  if (StepLog* const log = StepLog::current(); log != nullptr && log->keeps()) log->keep(engine_->restorer());
  if constexpr (Engine::has_all) {
    if (closure_ == nullptr) {
      throw ValueError(std::string(name()) + ": step needs a closure that computes gradients and returns the loss");
    }
    RuleOf<Options>::update_all(groups_[0], engine_->entries[0], closure_loss_, *closure_);
  } else {
    for (std::size_t i = 0; i < groups_.size(); ++i) engine_->update_group(groups_[i], engine_->entries[i]);
  }
}

template <class Options>
std::vector<std::string> OptimizerOf<Options>::option_names() const {
  std::vector<std::string> names;
  for_each_option<RuleOf<Options>>([&](const auto& field) { names.emplace_back(field.name); });
  return names;
}

template <class Options>
OptionValue OptimizerOf<Options>::option(std::size_t group, const std::string& option) const {
  std::optional<OptionValue> value;
  for_each_option<RuleOf<Options>>([&](const auto& field) {
    if (option == field.name) value = option_value(field, groups_.at(group));
  });
  if (!value) throw ValueError(std::string(name()) + ": there is no option '" + option + "'");
  return *value;
}

template <class Options>
void OptimizerOf<Options>::set_option(std::size_t group, const std::string& option, const OptionValue& value) {
  Options changed = groups_.at(group);
  if (!Engine::assign(changed, option, value))
    throw ValueError(std::string(name()) + ": there is no option '" + option + "'");
  Engine::check(group_place(group, changed.name), changed);
  groups_[group] = std::move(changed);
}

template <class Options>
OptimizerState OptimizerOf<Options>::state_dict() const {
  OptimizerState state;
  state.optimizer = name();
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    OptimizerState::Group group;
    group.name = groups_[i].name;
    for_each_option<RuleOf<Options>>(
        [&](const auto& field) { group.options[field.name] = option_value(field, groups_[i]); });
    for (const Entry& entry : engine_->entries[i]) {
      group.params.push_back(entry.name);
      if (entry.step == 0 && entry.tensors.empty()) continue;
      OptimizerState::Param& saved = state.params[entry.name];
      saved.step = entry.step;
      // What earlier options needed is not part of it.
      for (const char* key : Engine::state_names(groups_[i], entry.param))
        if (const Tensor* tensor = entry.find(key))
          saved.tensors[key] = copied_as(entry.param, *tensor, Engine::state_dtype(entry.param, key));
      const auto numbers = numbers_of<RuleOf<Options>>();
      for (std::size_t n = 0; n < numbers.size(); ++n) saved.numbers[numbers[n].name] = entry.numbers[n];
    }
    state.groups.push_back(std::move(group));
  }
  return state;
}

template <class Options>
LoadStateReport OptimizerOf<Options>::load_state_dict(const OptimizerState& state, const LoadStateOptions& options) {
  check_state(name(), state, groups_.size(), options);
  std::vector<Options> groups = groups_;
  if (options.options) {
    for (std::size_t i = 0; i < groups.size(); ++i) {
      for (const auto& [option, value] : state.groups[i].options) {
        if (!Engine::assign(groups[i], option, value))
          throw ValueError(std::string(name()) + ".load_state_dict: there is no option '" + option + "'");
      }
      Engine::check(group_place(i, groups[i].name), groups[i]);
    }
  }
  const auto known = [&](const Tensor& parameter) {
    std::vector<const char*> names;
    for (const Options& group : groups)
      for (const char* state_name : Engine::state_names(group, parameter)) names.push_back(state_name);
    return names;
  };
  NewState loaded = new_state(Engine::state_of_rule(), known, engine_->entries, state, options);
  if (options.check_only) return loaded.report;
  for (auto& [entry, fresh] : loaded.entries) {
    fresh.averaged = entry->averaged;
    *entry = std::move(fresh);
  }
  groups_ = std::move(groups);
  if constexpr (KeepsAverages<Options>) {
    for (std::size_t i = 0; i < groups_.size(); ++i)
      for (Entry& entry : engine_->entries[i]) Averages<Options>::place(groups_[i], entry, entry.averaged);
  }
  return loaded.report;
}

template <class Options>
Tensor OptimizerOf<Options>::state_of(const Tensor& parameter, const std::string& state) const {
  Entry* entry = engine_->find(parameter);
  Tensor* found = entry == nullptr ? nullptr : entry->find(state);
  return found == nullptr ? Tensor() : *found;
}

template <class Options>
std::optional<std::int64_t> OptimizerOf<Options>::state_bytes(const Tensor& parameter) const {
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    for (const Entry& entry : engine_->entries[i]) {
      if (!entry.param.is_same(parameter)) continue;
      if constexpr (Engine::has_all) return std::nullopt;
      std::int64_t bytes = 0;
      for (const char* name : Engine::state_names(groups_[i], entry.param))
        bytes += Engine::state_sizes(entry.param, name).numel() * element_size(Engine::state_dtype(entry.param, name));
      return bytes;
    }
  }
  return 0;
}

template <class Options>
std::map<std::string, Tensor> OptimizerOf<Options>::state_tensors(const Tensor& parameter) const {
  const Entry* entry = engine_->find(parameter);
  if (entry == nullptr) return {};
  return {entry->tensors.begin(), entry->tensors.end()};
}

template <class Options>
std::int64_t OptimizerOf<Options>::steps_of(const Tensor& parameter) const {
  const Entry* entry = engine_->find(parameter);
  return entry == nullptr ? 0 : entry->step;
}

}  // namespace gradus::optim
