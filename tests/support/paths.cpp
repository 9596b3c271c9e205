#include "support/paths.h"

namespace gradus::test {

std::string source_path(const std::string& relative) { return std::string(GRADUS_SOURCE_DIR "/") + relative; }

std::string command_path() { return GRADUS_COMMAND; }

}  // namespace gradus::test
