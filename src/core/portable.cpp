#include "core/portable.h"

#include <gradus/core/portable.h>

#include <cstdlib>
#include <string_view>

namespace gradus {

namespace {

bool wished() {
  const char* wish = std::getenv("GRADUS_PORTABLE");
  return wish != nullptr && std::string_view(wish) != "" && std::string_view(wish) != "0";
}

}  // namespace

namespace core::detail {
std::atomic<bool> portable{wished()};
}

bool is_portable() { return core::is_portable(); }

}  // namespace gradus
