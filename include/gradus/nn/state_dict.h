// Tensors by name, in order: what state_dict() returns and load_state_dict() takes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gradus/tensor.h>

namespace gradus::nn {

// Iterates as pairs: `for (auto& [name, tensor] : dict)`.
class StateDict {
 public:
  using Entry = std::pair<std::string, Tensor>;
  StateDict() = default;
  StateDict(std::initializer_list<Entry> entries);

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  const Tensor* find(std::string_view name) const;  // null if absent
  const Tensor& at(std::string_view name) const;    // ValueError if absent
  const Tensor& operator[](std::string_view name) const { return at(name); }
  // As a Python dict's: `dict["fc.weight"] = w` adds or replaces. Reading a name that is absent adds an undefined
  // tensor, which any use refuses; at() throws at once.
  Tensor& operator[](std::string_view name);
  void set(std::string name, Tensor value);  // adds, or replaces in its place
  bool erase(std::string_view name);
  Tensor pop(std::string_view name);    // removes and returns it; ValueError if absent
  void update(const StateDict& other);  // Python's dict.update; `frozen` stays
  std::vector<std::string> keys() const;

  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

  // The names of parameters and modules that were frozen ("" for the whole network); absent where the dict comes from
  // a file that does not say.
  std::optional<std::vector<std::string>> frozen;

 private:
  std::vector<Entry> entries_;
};

// What load_state_dict found.
struct LoadReport {
  std::vector<std::string> loaded;
  std::vector<std::string> missing;     // in the module, not in the dict
  std::vector<std::string> unexpected;  // in the dict, not in the module
  std::vector<std::string> mismatched;  // in both, with other sizes: "fc.weight: [10, 512] in the module, [1000, 512]"

  std::string to_string() const;
};

struct LoadOptions {
  bool strict = true;            // missing or unexpected names are an error
  bool skip_mismatched = false;  // leave tensors of other sizes as they are (a new head) instead of an error
  bool freezing = false;         // freeze what was frozen and unfreeze the rest, where the dict says
  bool check_only = false;       // report or throw as loading would, and change nothing
};

}  // namespace gradus::nn
