// Values as Python prints them.
#pragma once

#include <string>

namespace gradus {

// The shortest text that reads as the same number: "1.0", "0.1", "1e-05", "nan".
std::string python_text(double value);
inline const char* python_text(bool value) { return value ? "True" : "False"; }

}  // namespace gradus
