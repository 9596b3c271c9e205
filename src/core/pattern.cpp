#include <gradus/core/pattern.h>

#include <fnmatch.h>

namespace gradus {

bool matches(const std::string& pattern, const std::string& name) {
  for (std::size_t end = name.size();; end = name.rfind('.', end - 1)) {
    if (fnmatch(pattern.c_str(), name.substr(0, end).c_str(), FNM_NOESCAPE) == 0) return true;
    if (end == 0 || name.rfind('.', end - 1) == std::string::npos) return false;
  }
}

}  // namespace gradus
