#include "io/checkpoint/find_state_dict.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "core/tensor_access.h"
#include "io/checkpoint/renamer.h"
#include "io/value/find_path.h"
#include "io/value/value_boxes.h"

namespace gradus::io {

namespace {

// A tensor, or something that holds none. Its whole name is the path of its dictionary and its name in there.
struct Leaf {
  std::size_t dictionary;
  std::string name;
  Value value;
};

bool has_keys(const Value& value, std::initializer_list<const char*> keys) {
  return std::all_of(keys.begin(), keys.end(), [&](const char* key) { return value.contains({key}); });
}

// PyTorch's and ours. The tensors in it are not weights.
bool is_optimizer_state(const Value& value) {
  return has_keys(value, {"state", "param_groups"}) || has_keys(value, {"optimizer", "groups", "params"});
}

// A whole module, as torch.save(model) writes it: what it holds lies in these attributes.
bool is_module(const Value& value) {
  return value.is(Value::Kind::Object) && has_keys(value, {"_parameters", "_buffers", "_modules"}) &&
         value.at({"_parameters"}).is(Value::Kind::Dict) && value.at({"_buffers"}).is(Value::Kind::Dict) &&
         value.at({"_modules"}).is(Value::Kind::Dict);
}

bool is_nest(const Value& value) {
  return value.is(Value::Kind::Dict) || value.is(Value::Kind::List) || value.is(Value::Kind::Tuple) || is_module(value);
}

bool holds_tensors(const Value& value) {
  if (value.is(Value::Kind::Tensor)) return true;
  if (value.is(Value::Kind::Dict)) {
    const auto entries = value.entries();
    return std::any_of(entries.begin(), entries.end(), [](const auto& e) { return holds_tensors(e.second); });
  }
  if (is_module(value)) return true;
  if (!is_nest(value)) return false;
  const auto items = value.items();
  return std::any_of(items.begin(), items.end(), holds_tensors);
}

// What a module adds to its state dict beside parameters and buffers may hold anything.
bool is_extra(const std::string& name) { return name == "_extra_state" || name.ends_with("._extra_state"); }

// A dictionary that holds a network's tensors by name and no dictionaries: numbers that stand beside others
// ("best_acc": tensor(70.)) make none.
bool is_state_dict(const Value& value) {
  if (!value.is(Value::Kind::Dict) || is_optimizer_state(value)) return false;
  bool weights = false;
  for (const auto& [key, item] : value.entries()) {
    if (!key.is_string()) return false;
    if (item.is(Value::Kind::Tensor)) {
      weights = weights || item.as_tensor().dim() > 0;
    } else if (is_nest(item) && holds_tensors(item) && !is_extra(key.to_string())) {
      return false;
    }
  }
  return weights;
}

class Search {
 public:
  Search(const LoadedFile& file, const std::string& path, const StateDictRequest& request)
      : file_(file),
        request_(request),
        path_(path),
        budget_(path, request.load.memory.value_or(Budget::default_limit(file.bytes))),
        root_(file.value.at(request.at)) {
    collect(root_, "", file.nested_names ? new_dictionary("", root_, true) : kNone);
  }

  FoundStateDict run() {
    if (!is_nest(root_)) refuse_root();
    if (request_.fit != nullptr) {
      if (const auto chosen = fitting()) return made(*chosen);
    }
    return made(only_dictionary());
  }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};
  struct Dictionary {
    std::string path;  // "state_dict."
    Value value;
    bool whole;  // with all that is nested in it
  };
  struct Chosen {
    std::string prefix;                  // of whole names; dropped
    std::set<std::size_t> dictionaries;  // whose entries are taken
  };

  std::size_t new_dictionary(const std::string& path, const Value& value, bool whole) {
    budget_.charge(path.size() + sizeof(Dictionary) + 32);
    dictionaries_.push_back({path, value, whole});
    return dictionaries_.size() - 1;
  }

  // All leaves with names that lie in dictionaries, but for those of optimizers. With `into` they belong to that one.
  void collect(const Value& value, const std::string& path, std::size_t into) {
    if (value.is(Value::Kind::List) || value.is(Value::Kind::Tuple)) {
      for (std::size_t i = 0; i < value.size(); ++i) collect(value.items()[i], fmt::format("{}{}.", path, i), into);
    } else if (is_module(value)) {
      if (into == kNone) into = new_dictionary(path, value, true);
      for (const char* own : {"_parameters", "_buffers"}) {
        for (const auto& [key, item] : value.entries({own}))
          if (item.is(Value::Kind::Tensor)) add_leaf(into, path, key.to_string(), item);
      }
      for (const auto& [key, item] : value.entries({"_modules"}))
        if (is_module(item)) collect(item, path + key.to_string() + ".", into);
    } else if (value.is(Value::Kind::Dict) && !is_optimizer_state(value)) {
      const std::size_t own = into != kNone ? into : new_dictionary(path, value, false);
      for (const auto& [key, item] : value.entries()) {
        const std::string name = key.to_string();
        if (is_nest(item) && !is_extra(name) && holds_tensors(item)) {
          collect(item, path + name + ".", into);
        } else if (key.is_string()) {
          add_leaf(own, path, name, item);
        }
      }
    }
  }
  void add_leaf(std::size_t dictionary, const std::string& path, const std::string& name, const Value& value) {
    if (dictionaries_[dictionary].whole && !value.is(Value::Kind::Tensor)) return;  // a module's other attributes
    budget_.charge(path.size() + name.size() + sizeof(Leaf) + 64);
    leaves_.push_back({dictionary, path.substr(dictionaries_[dictionary].path.size()) + name, value});
  }

  // One dictionary that stands in two places: {"model": d, "best": d}.
  bool is_same(std::size_t a, std::size_t b) const {
    return a == b || detail::Access::box(dictionaries_[a].value) == detail::Access::box(dictionaries_[b].value);
  }

  // The whole name, with the rules for names.
  std::string name_of(const Leaf& leaf, Renamer& renamer) const {
    return dictionaries_[leaf.dictionary].path + renamer(leaf.name);
  }

  // Which beginning has to be dropped, so that most names of the network remain?
  std::optional<Chosen> fitting() {
    std::unordered_map<std::string_view, const Tensor*> wanted;
    for (const auto& [name, tensor] : *request_.fit) wanted.emplace(name, &tensor);
    std::map<std::string, std::pair<std::size_t, std::set<std::size_t>>> fits;  // by the beginning
    Renamer renamer(request_.rename);
    for (const Leaf& leaf : leaves_) {
      if (!leaf.value.is(Value::Kind::Tensor)) continue;
      const Tensor tensor = leaf.value.as_tensor();
      const std::string name = name_of(leaf, renamer);
      for (std::size_t at = 0; at != std::string::npos;) {
        const auto found = wanted.find(std::string_view(name).substr(at));
        if (found != wanted.end() && found->second->sizes() == tensor.sizes()) {
          auto& [count, dictionaries] = fits[name.substr(0, at)];
          ++count;
          dictionaries.insert(leaf.dictionary);
        }
        at = name.find('.', at);
        if (at != std::string::npos) ++at;
      }
    }
    std::size_t most = 0;
    for (const auto& [prefix, fit] : fits) most = std::max(most, fit.first);
    if (most == 0) return std::nullopt;
    std::vector<Chosen> best;  // in order: shorter ones before those that begin with them
    for (const auto& [prefix, fit] : fits)
      if (fit.first == most && (best.empty() || !prefix.starts_with(best.back().prefix)))
        best.push_back({prefix, fit.second});
    const auto place = [](const Chosen& one) { return *one.dictionaries.begin(); };
    const auto first = *std::min_element(best.begin(), best.end(),
                                         [&](const Chosen& a, const Chosen& b) { return place(a) < place(b); });
    if (std::all_of(best.begin(), best.end(), [&](const Chosen& one) {
          return one.dictionaries.size() == 1 && is_same(place(one), place(first));
        })) {
      return first;
    }
    if (best.size() == 1) return best[0];
    std::vector<std::string> prefixes;
    for (const Chosen& one : best) prefixes.push_back(fmt::format("'{}'", one.prefix));
    refuse(
        fmt::format("the names that begin with {} fit the network equally well, with {} tensors each; choose with "
                    "{} or {}",
                    fmt::join(prefixes, " and with "), most, request_.at_word, request_.rename_word));
  }

  Chosen only_dictionary() const {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < dictionaries_.size(); ++i)
      if (dictionaries_[i].whole || is_state_dict(dictionaries_[i].value)) found.push_back(i);
    // Without any: one that is empty, or holds numbers only, may be meant all the same.
    const bool plain = root_.is(Value::Kind::Dict) && dictionaries_.size() == 1;
    if (found.empty() && plain && (root_.size() == 0 || holds_tensors(root_))) found.push_back(0);
    if (found.empty()) refuse_root();
    if (std::all_of(found.begin(), found.end(), [&](std::size_t i) { return is_same(i, found[0]); }))
      return {dictionaries_[found[0]].path, {found[0]}};
    constexpr std::size_t kShown = 8;
    std::vector<std::string> places;
    for (std::size_t i = 0; i < std::min(found.size(), kShown); ++i)
      places.push_back(without_dot(dictionaries_[found[i]].path));
    refuse(fmt::format("it holds {} dictionaries of tensors: {}{}; choose one with {}", found.size(),
                       fmt::join(places, ", "), found.size() > kShown ? ", ..." : "", request_.at_word));
  }

  FoundStateDict made(const Chosen& chosen) const {
    FoundStateDict found;
    const std::string prefix = without_dot(shown_path(request_.at) + (request_.at.empty() ? "" : ".") + chosen.prefix);
    if (!prefix.empty()) found.place = fmt::format(" at {}", prefix);
    Renamer renamer(request_.rename);
    std::unordered_set<std::string> names;
    for (const Leaf& leaf : leaves_) {
      if (!chosen.dictionaries.contains(leaf.dictionary)) continue;
      std::string name = name_of(leaf, renamer);
      if (name.starts_with(chosen.prefix)) {
        name.erase(0, chosen.prefix.size());
      } else {
        name.erase(0, dictionaries_[leaf.dictionary].path.size());
      }
      if (!names.insert(name).second) refuse(fmt::format("two names become '{}'", name));
      const bool tensor = leaf.value.is(Value::Kind::Tensor);
      if (!tensor) found.not_tensors.push_back(name);
      found.dict.set(std::move(name), tensor ? leaf.value.as_tensor() : not_a_tensor());
    }
    renamer.check_all_matched(fmt::format("{}: {}", request_.call, path_));
    return found;
  }

  static std::string without_dot(std::string path) {
    if (path.ends_with('.')) path.pop_back();
    return path;
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw ValueError(fmt::format("{}: {}: {}", request_.call, path_, what));
  }
  [[noreturn]] void refuse_root() const {
    const std::string place = request_.at.empty() ? "" : fmt::format(" at {}", shown_path(request_.at));
    std::string holds;
    if (root_.is(Value::Kind::Dict)) {
      std::size_t shown = 0;
      for (const auto& [key, item] : root_.entries()) {
        if (++shown > 8) continue;
        holds.append(holds.empty() ? ". It holds " : ", ").append(key.to_string().substr(0, 60));
        if (item.is(Value::Kind::Object)) holds += " = " + item.to_string().substr(0, 80);  // why it is no tensor here
      }
      if (shown > 8) holds += ", ...";
    }
    refuse(fmt::format("need a dict of tensors{}, got {}{}", place, to_string(root_.kind()), holds));
  }

  const LoadedFile& file_;
  const StateDictRequest& request_;
  const std::string& path_;
  Budget budget_;
  Value root_;
  std::vector<Dictionary> dictionaries_;
  std::vector<Leaf> leaves_;
};

}  // namespace

Tensor not_a_tensor() { return gradus::detail::make_empty({0}, kUInt8, kCPU); }

FoundStateDict find_state_dict(const LoadedFile& file, const std::string& path, const StateDictRequest& request) {
  return Search(file, path, request).run();
}

}  // namespace gradus::io
