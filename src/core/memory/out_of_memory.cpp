#include <gradus/core/memory.h>

#include "text/units.h"

namespace gradus {

OutOfMemory::OutOfMemory(std::size_t requested, std::int64_t in_use, std::int64_t reserved)
    : Error("out of memory"), requested_(requested), in_use_(in_use), reserved_(reserved) {
  compose();
}

void OutOfMemory::add_operation(const std::string& operation) {
  if (!operation_.empty()) return;
  operation_ = operation;
  compose();
}

void OutOfMemory::add_layer(const std::string& layer) {
  if (!layer_.empty()) return;
  layer_ = layer;
  compose();
}

void OutOfMemory::add_held(const std::string& held) {
  held_ += "; " + held;
  compose();
}

void OutOfMemory::add_context(const std::string& context) {
  context_ = context + context_;
  compose();
}

void OutOfMemory::compose() {
  const auto amount = [](auto bytes) {
    return std::to_string(bytes) + " bytes (" + byte_count(static_cast<double>(bytes)) + ")";
  };
  text_ = context_ + (operation_.empty() ? "allocate" : operation_);
  if (!layer_.empty()) text_ += ", in " + layer_;
  text_ += ": the system is out of memory, asked for " + amount(requested_) + " with " + amount(in_use_) +
           " in use and " + amount(reserved_) + " reserved" + held_;
}

}  // namespace gradus
