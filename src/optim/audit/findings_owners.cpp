// Who owns what: conclusions about parameters, networks and optimizers.
#include <fmt/format.h>
#include <gradus/nn/freeze.h>

#include <algorithm>

#include "core/own_loads.h"
#include "optim/audit/watch.h"

namespace gradus::optim {

namespace {

using Watch = Audit::Watch;
using Names = std::vector<std::string>;

std::int64_t bytes_of(const Tensor& x) { return x.numel() * element_size(x.dtype()); }

// Whether two different tensors lie on the same memory.
bool overlap(const Tensor& a, const Tensor& b) {
  const auto begin = [](const Tensor& x) { return static_cast<const std::byte*>(x.const_data_ptr()); };
  return begin(a) < begin(b) + bytes_of(b) && begin(b) < begin(a) + bytes_of(a);
}

Names half_tied(const Watch& watch, const std::vector<nn::NamedTensor>& names) {
  Names tied;
  const auto pair = [&](const std::string& a, const std::string& b) { tied.insert(tied.end(), {a, b}); };
  for (std::size_t i = 0; i < names.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (!names[i].second.is_same(names[j].second) && overlap(names[i].second, names[j].second))
        pair(names[j].first, names[i].first);
  const auto now = [&](const std::string& name) {
    const auto it = std::find_if(names.begin(), names.end(), [&](const auto& entry) { return entry.first == name; });
    return it == names.end() ? Tensor() : it->second;
  };
  for (std::size_t i = 0; i < watch.names_at_start.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const auto& [a_name, a] = watch.names_at_start[j];
      const auto& [b_name, b] = watch.names_at_start[i];
      if (!a.is_same(b)) continue;
      const Tensor a_now = now(a_name), b_now = now(b_name);
      if (a_now.defined() && b_now.defined() && !a_now.is_same(b_now)) pair(a_name, b_name);
    }
  }
  return tied;
}

// Networks that share all of their parameters.
Names same_networks(const Watch& watch) {
  std::vector<std::pair<std::string, std::set<const void*>>> sets;
  for (const auto& model : watch.models) {
    std::set<const void*> own;
    visit_states(*model.state, "", [&](const nn::detail::ModuleState& state, const std::string&) {
      for (const auto& [name, tensor] : state.parameters)
        if (tensor.defined()) own.insert(tensor.impl());
    });
    sets.emplace_back(model.name, std::move(own));
  }
  Names same;
  for (std::size_t i = 0; i < sets.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (!sets[i].second.empty() && sets[i].second == sets[j].second)
        same.insert(same.end(), {sets[j].first, sets[i].first});
  return same;
}

void buffers(const Conclusions& c, std::unordered_set<const void*>& known) {
  Names trained, handed, averages;
  for (const auto& model : c.watch.models) {
    visit_states(*model.state, model.name, [&](const nn::detail::ModuleState& state, const std::string& path) {
      for (const auto& buffer : state.buffers) {
        if (!buffer.tensor.defined()) continue;
        known.insert(buffer.tensor.impl());
        const std::string name = path.empty() ? buffer.name : path + "." + buffer.name;
        bool owned = false;
        for (const Watch::Known& k : c.watch.optimizers)
          owned = owned || (k.optimizer != nullptr && owns(*k.optimizer, buffer.tensor));
        if (buffer.tensor.requires_grad())
          trained.push_back(name);
        else if (owned)
          handed.push_back(name);
        const bool never = state.type == "AveragedModel" && buffer.name == "n_averaged" && buffer.tensor.item() == 0;
        if (never && c.watch.total_steps >= 10) averages.push_back(path.empty() ? "the average" : path);
      }
    });
  }
  c.add("buffer-trained", trained);
  c.add("buffer-trained", handed, "a buffer is in an optimizer",
        "it is state, such as running statistics, and has no gradient; decay and momentum may move it",
        "give the optimizer only net.parameters()");
  for (const auto& [name, note] : c.watch.averages) c.add("average-unused", {name}, note.text);
  c.add("average-unused", averages, fmt::format("its average was not updated in {} steps", c.watch.total_steps));
}

// Names and sizes of a network's parameters, by which one is told to be a copy of another.
std::vector<std::pair<std::string, std::string>> structure_of(const Watch& watch, const std::string& model) {
  std::vector<std::pair<std::string, std::string>> structure;
  for (const void* impl : watch.order) {
    const auto& p = watch.parameters.at(impl);
    if (p.model == model)
      structure.emplace_back(p.name.substr(std::min(p.name.size(), model.size())), gradus::to_string(p.tensor.sizes()));
  }
  return structure;
}

// Two networks alike, of which an optimizer trains both, though one is set to other values between its steps.
void trained_targets(const Conclusions& c) {
  const Watch& watch = c.watch;
  const auto overwritten = [&](const std::string& model) {
    bool any = false, all = true;
    for (const void* impl : watch.order) {
      const auto& p = watch.parameters.at(impl);
      if (p.model != model) continue;
      any = true;
      all = all && p.changed_between > 0;
    }
    return any && all;
  };
  const auto trainer = [&](const std::string& model) {
    for (const void* impl : watch.order)
      if (const auto& p = watch.parameters.at(impl); p.model == model) return p.stepped_by;
    return Watch::kNone;
  };
  for (const auto& target : watch.models) {
    if (!overwritten(target.name) || trainer(target.name) == Watch::kNone) continue;
    for (const auto& online : watch.models) {
      if (online.name == target.name || overwritten(online.name)) continue;
      if (trainer(online.name) != trainer(target.name)) continue;
      if (structure_of(watch, online.name) != structure_of(watch, target.name)) continue;
      c.add("target-trained", {target.name},
            fmt::format("{} steps it, and between its steps it is set to the values of another network, as {} is not",
                        watch.optimizers[trainer(target.name)].name, online.name));
    }
  }
}

// A module that stands several times in a Sequential or a ModuleList.
Names repeated_modules(const Watch& watch) {
  Names repeated;
  for (const auto& model : watch.models) {
    visit_states(*model.state, model.name, [&](const nn::detail::ModuleState& state, const std::string& path) {
      if (state.type != "Sequential" && state.type != "ModuleList") return;
      std::map<const void*, Names> places;
      for (const auto& child : state.children) {
        bool any = false;
        visit_states(*child.module->state(), "", [&](const nn::detail::ModuleState& inner, const std::string&) {
          any = any || !inner.parameters.empty();
        });
        if (any) places[child.module->state().get()].push_back((path.empty() ? "" : path + ".") + child.name);
      }
      for (const auto& [module, names] : places)
        if (names.size() > 1) repeated.insert(repeated.end(), names.begin(), names.end());
    });
  }
  return repeated;
}

void loads(const Conclusions& c) {
  Names own;
  for (const void* module : core::own_loads_since(c.watch.own_loads_at_start))
    for (const auto& model : c.watch.models)
      visit_states(*model.state, model.name.empty() ? "the network" : model.name,
                   [&](const nn::detail::ModuleState& state, const std::string& path) {
                     if (&state == module && std::find(own.begin(), own.end(), path) == own.end()) own.push_back(path);
                   });
  c.add("loaded-into-itself", own);
}

// Networks that began as copies of one that is trained, were run beside it, and still hold its first values.
void still_targets(const Conclusions& c, const std::map<std::string, bool>& any_owned) {
  const Watch& watch = c.watch;
  for (const auto& [name, runs] : watch.unrecorded_runs) {
    if (runs.first < 20 || any_owned.count(name) == 0 || any_owned.at(name)) continue;
    bool still = true;
    std::vector<double> norms;
    for (const void* impl : watch.order) {
      const auto& p = watch.parameters.at(impl);
      if (p.model != name) continue;
      still = still && p.tensor.requires_grad() && p.tensor.version() == p.start_version;
      norms.push_back(p.start_norm);
    }
    for (const auto& other : watch.models) {
      const auto owned = any_owned.find(other.name);
      if (!still || owned == any_owned.end() || !owned->second) continue;
      std::vector<double> others;
      for (const void* impl : watch.order)
        if (const auto& p = watch.parameters.at(impl); p.model == other.name) others.push_back(p.start_norm);
      if (norms == others && structure_of(watch, other.name) == structure_of(watch, name))
        c.add("target-still", {name},
              fmt::format("it began as {}, ran during {} of its steps, and still holds the first values", other.name,
                          runs.first));
    }
  }
}

// Changed in place between most steps, while another tensor lies on the same memory.
void changed_by_hand(const Conclusions& c) {
  c.add("changed-by-hand", c.where([&](const Watch::Watched& p) {
    if (p.stepped_by == Watch::kNone || p.tensor.impl()->storage->use_count() < 2) return false;
    return p.changed_between >= 5 && 5 * p.changed_between >= 4 * (p.still + p.moved);
  }));
}

// Of which networks an optimizer owns anything, and whether one owns anything at all.
struct Ownership {
  std::map<std::string, bool> any;
  bool somewhere = false;
};
Ownership ownership_of(const Watch& watch, const std::vector<AuditRow>& rows) {
  std::set<std::string> owned_names;
  for (const AuditRow& row : rows)
    if (!row.owners.empty()) owned_names.insert(row.name);
  Ownership owned;
  for (const void* impl : watch.order) {
    const auto& p = watch.parameters.at(impl);
    const bool own = owned_names.count(p.name) != 0;
    owned.any[p.model] = owned.any[p.model] || own;
    owned.somewhere = owned.somewhere || own;
  }
  return owned;
}

// A network of which nothing is owned lags behind another or teaches it: a target, an average. It is a mistake where
// gradients reach it, or where there is no other network.
void unowned_parameters(const Conclusions& c, const std::vector<AuditRow>& rows, Ownership& owned) {
  const Watch& watch = c.watch;
  Names unowned, of_teachers;           // of networks of which no optimizer has anything, beside one that is trained
  std::map<std::string, bool> targets;  // unowned ones with gradients, which are like one that is owned
  bool reached = false;
  for (const AuditRow& row : rows) {
    if (row.status != AuditRow::Status::trainable || !row.owners.empty()) continue;
    const auto found = std::find_if(watch.order.begin(), watch.order.end(),
                                    [&](const void* impl) { return watch.parameters.at(impl).name == row.name; });
    const bool arrived = found != watch.order.end() && watch.parameters.at(*found).reached > 0;
    const std::string model = found == watch.order.end() ? std::string() : watch.parameters.at(*found).model;
    const bool expected_there = owned.any[model] || !owned.somewhere || watch.models.size() == 1;
    if (!arrived && !expected_there) continue;
    if (arrived && !owned.any[model] && owned.somewhere) {
      const bool alike = std::any_of(watch.models.begin(), watch.models.end(), [&, &m = model](const auto& other) {
        return owned.any[other.name] && structure_of(watch, other.name) == structure_of(watch, m);
      });
      if (alike) {
        targets[model] = true;
        continue;
      }
    }
    reached = reached || arrived;
    if (arrived && !owned.any[model] && owned.somewhere && watch.models.size() > 1)
      of_teachers.push_back(row.name);
    else
      unowned.push_back(row.name);
  }
  c.add("unowned", of_teachers, "trainable and reached by backward, but no optimizer has any of its network",
        "gradients are computed that nobody uses, or it was to learn and does not",
        "if it teaches: nn::freeze(teacher), or const NoGrad guard; around its forward. If it learns: an optimizer for "
        "it");
  // An optimizer of something else is not a mistake where nothing here waits for one.
  if (!unowned.empty() || !of_teachers.empty()) c.add("elsewhere", watch.elsewhere);
  if (watch.elsewhere.empty() || owned.somewhere || reached)
    c.add("unowned", unowned, reached ? "trainable and reached by backward, but in no optimizer" : "");

  for (const auto& [model, found] : targets) c.add("target-gradient", {model});
}

// In an optimizer, but no longer in a network.
void detached_parameters(const Conclusions& c, const std::vector<nn::NamedTensor>& names) {
  const Watch& watch = c.watch;
  Names detached;
  for (const Watch::Known& k : watch.optimizers) {
    if (k.optimizer == nullptr) continue;
    std::vector<nn::NamedTensor> owned;
    for (std::size_t g = 0; g < k.optimizer->group_count(); ++g)
      owned.insert(owned.end(), k.optimizer->group_params(g).begin(), k.optimizer->group_params(g).end());
    for (const auto& [own_name, own] : owned) {
      const bool present =
          std::any_of(names.begin(), names.end(), [&](const auto& entry) { return entry.second.is_same(own); });
      // It was in a network when the audit began, or carries the path of what stands in its place.
      const auto was = std::find_if(watch.names_at_start.begin(), watch.names_at_start.end(),
                                    [&](const auto& entry) { return entry.second.is_same(own); });
      const auto path = std::find_if(names.begin(), names.end(), [&](const auto& entry) {
        return own_name.find('.') != std::string::npos && entry.second.name() == own_name;
      });
      if (present) continue;
      if (was != watch.names_at_start.end())
        detached.push_back(was->first);
      else if (path != names.end())
        detached.push_back(path->first);
    }
  }
  c.add("detached", detached);
}

// Leaves that backward reaches pass after pass, but that belong to no network and no optimizer.
void unregistered_tensors(const Conclusions& c, const std::unordered_set<const void*>& known_buffers) {
  const Watch& watch = c.watch;
  Names strange;
  for (const auto& [impl, stranger] : watch.strangers) {
    if (stranger.changed || stranger.passes.size() < 3 || known_buffers.count(impl) != 0) continue;
    if (watch.owned_elsewhere.count(impl) != 0 || watch.parameters.count(impl) != 0) continue;
    bool owned = false;
    for (const Watch::Known& k : watch.optimizers)
      owned = owned || (k.optimizer != nullptr && stranger.tensor.defined() && owns(*k.optimizer, stranger.tensor));
    if (owned || !stranger.tensor.defined()) continue;
    const std::string name = stranger.tensor.name().empty() ? "a tensor" : stranger.tensor.name();
    strange.push_back(fmt::format("{} {}{}", name, gradus::to_string(stranger.tensor.sizes()),
                                  stranger.place.empty() ? "" : " used in " + stranger.place));
  }
  std::sort(strange.begin(), strange.end());
  c.add("unregistered", strange);
}

}  // namespace

void conclude_owners(const Conclusions& c, const std::vector<AuditRow>& rows) {
  const Watch& watch = c.watch;
  const auto names = watch.all_names();
  c.add("same-network", same_networks(watch));
  std::unordered_set<const void*> known_buffers;
  buffers(c, known_buffers);
  Ownership owned = ownership_of(watch, rows);
  unowned_parameters(c, rows, owned);
  trained_targets(c);
  changed_by_hand(c);
  detached_parameters(c, names);
  loads(c);
  still_targets(c, owned.any);
  c.add("two-owners", c.named(watch.shared));
  c.add("half-tied", half_tied(watch, names));

  c.add("shared-module", repeated_modules(watch));
  Names alike;
  for (const auto& [a, b] : watch.alike_at_start) alike.insert(alike.end(), {a, b});
  c.add("equal-start", alike);

  unregistered_tensors(c, known_buffers);
  for (const auto& [type, kept] : watch.made_inside)
    if (kept.size() >= 3 && std::all_of(kept.begin(), kept.end(), [](const auto& x) { return x.begun == x.last; }) &&
        kept[0].begun != kept[2].begun)
      c.add("made-in-forward", {type});
}

}  // namespace gradus::optim
