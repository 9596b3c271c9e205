// What a pickle is still filling.
#pragma once

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

  explicit Building(Kind k, std::string_view t = "") : kind(k), type(t) {}
};
inline void ref_destroy(Building* p) noexcept { delete p; }

// What stands for an object within itself, and for what is nested too deep.
Value cut_off(std::string_view type);

// The value that it has become.
Value finished(PickleContext& context, const Building& building);

// As a key of a dict that has `entries` so far. What Python compares by identity gets a number.
Key pickled_key(PickleContext& context, const Value& value, std::size_t entries);

}  // namespace gradus::io
