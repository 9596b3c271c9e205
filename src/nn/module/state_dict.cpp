#include <gradus/nn/state_dict.h>

#include <algorithm>

namespace gradus::nn {

StateDict::StateDict(std::initializer_list<Entry> entries) {
  for (const auto& [name, tensor] : entries) set(name, tensor);
}

const Tensor* StateDict::find(std::string_view name) const {
  const auto it = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.first == name; });
  return it == entries_.end() ? nullptr : &it->second;
}

const Tensor& StateDict::at(std::string_view name) const {
  const Tensor* found = find(name);
  if (found == nullptr) throw ValueError("state_dict: no tensor is named '" + std::string(name) + "'");
  return *found;
}

Tensor& StateDict::operator[](std::string_view name) {
  for (auto& [key, tensor] : entries_)
    if (key == name) return tensor;
  return entries_.emplace_back(std::string(name), Tensor()).second;
}

void StateDict::set(std::string name, Tensor value) { (*this)[name] = std::move(value); }

bool StateDict::erase(std::string_view name) {
  return std::erase_if(entries_, [&](const Entry& e) { return e.first == name; }) > 0;
}

Tensor StateDict::pop(std::string_view name) {
  Tensor value = at(name);
  erase(name);
  return value;
}

void StateDict::update(const StateDict& other) {
  for (const auto& [name, tensor] : other) set(name, tensor);
}

std::vector<std::string> StateDict::keys() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : entries_) names.push_back(name);
  return names;
}

std::string LoadReport::to_string() const {
  std::string text = std::to_string(loaded.size()) + " loaded";
  const auto list = [&](const char* what, const std::vector<std::string>& names) {
    if (names.empty()) return;
    text += std::string("; ") + std::to_string(names.size()) + " " + what + ": ";
    for (std::size_t i = 0; i < names.size(); ++i) text += (i ? ", " : "") + names[i];
  };
  list("missing", missing);
  list("unexpected", unexpected);
  list("mismatched", mismatched);
  return text;
}

}  // namespace gradus::nn
