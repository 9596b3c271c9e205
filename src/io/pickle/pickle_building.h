// What a pickle is still filling.
#pragma once

#include <unordered_map>

#include "io/pickle/pickle_calls.h"

namespace gradus::io {

struct Building : RefCounted {
  enum class Kind : std::uint8_t { List, Dict, Set, Object };
  Kind kind;
  std::string type;                  // of a set or object
  Value args;                        // what an object was called with: None, or a tuple
  Value list;                        // its items; of an object None where it has none
  Value dict;                        // its entries; of an object None where it has none
  Value state;                       // of an object: its attributes, mostly a dict
  std::optional<Value> result = {};  // once it is part of another
  std::size_t begin;                 // of what made it, in the pickle
  std::uint32_t changes = 0;         // opcodes that have filled it
  bool shared = false;               // something refers to it already

  Building(Kind k, std::string_view t, std::size_t at) : kind(k), type(t), begin(at) {}
};
inline void ref_destroy(Building* p) noexcept { delete p; }

// Whether something that a pickle refers to is complete, or refers to itself: only what comes after the reference
// tells. So it is taken for complete; where that was wrong, the pickle is read again to count the changes of what is
// shared, and once more with what is known then.
struct Sharing {
  enum class Pass : std::uint8_t { Assume, Count, Know };
  Pass pass = Pass::Assume;
  std::unordered_map<std::size_t, std::uint32_t> changes = {};  // of buildings that are shared, by where they begin

  bool is_complete(const Building& building) const {
    if (pass != Pass::Know) return pass == Pass::Assume;
    const auto known = changes.find(building.begin);
    return known == changes.end() || building.changes >= known->second;
  }
};

// What stands for an object within itself, and for what is nested too deep.
Value cut_off(std::string_view type);

// The value that it has become.
Value finished(PickleContext& context, const Building& building);

// As a key of a dict that has `entries` so far. What Python compares by identity gets a number.
Key pickled_key(PickleContext& context, const Value& value, std::size_t entries);

}  // namespace gradus::io
