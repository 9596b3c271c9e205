// Reads Python pickles, all protocols (0 to 5). Nothing is executed: a few functions are known, and do what they do in
// Python; what any other would have made is an object with its name and arguments. The machine is CPython's
// (Lib/pickletools.py).
#pragma once

#include <gradus/io/value.h>

#include <variant>

#include "io/file/cursor.h"
#include "io/file/storage.h"

namespace gradus::io {

// A storage that a pickle refers to.
struct PickledStorage {
  StorageRef memory;  // null: of a type that has no dtype here
  const ElementType* type = nullptr;
  bool big_endian = false;  // of bytes that their tensors give a type
  std::int64_t start = 0;   // in elements, where it is a part of `memory`
  std::int64_t size = 0;    // in elements
};

// What a pickle's persistent ids stand for.
class PickleHost {
 public:
  virtual ~PickleHost() = default;
  virtual std::variant<PickledStorage, Value> persistent(const Value& id) = 0;
};

// Reads one pickle at the cursor, which then stands after it.
//
// OrderedDict, defaultdict and Counter become dicts, deque a list, torch.Size a tuple; dtypes ("torch.float32"),
// storage types and devices strings; Parameters tensors that require a gradient; NumPy's scalars numbers, its arrays
// tensors. Everything else is an object: one of a class with its attributes, set(), an integer of more than 64 bits
// ("int", with its digits), a class or function itself ("global", with its name), an object within itself (content
// "...").
Value read_pickle(Source& source, Cursor& at, PickleHost* host);

}  // namespace gradus::io
