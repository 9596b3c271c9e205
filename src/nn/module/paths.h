// Names of modules and of what they hold, from the outermost module: "encoder.0.weight".
#pragma once

#include <string>
#include <typeinfo>

namespace gradus::nn {

namespace detail {
struct ModuleState;
std::string type_name_of(const std::type_info& type);  // "Linear", without namespaces
}  // namespace detail

std::string joined(const std::string& prefix, const std::string& name);

// Names all that lies below. A tied tensor takes its first name.
void set_path(detail::ModuleState& state, const std::string& path);

}  // namespace gradus::nn
