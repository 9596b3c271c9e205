// Patterns of names, as shells write them: `*` stands for any characters, dots too, `?` for one, `[a-d]` for a class.
#pragma once

#include <string>

namespace gradus {

// Whether `name` or one of the modules it lies in matches: "features" and "features.*" both match "features.0.weight",
// "*.bias" matches every bias.
bool matches(const std::string& pattern, const std::string& name);

}  // namespace gradus
