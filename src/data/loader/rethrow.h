#pragma once

#include <exception>
#include <string>

namespace gradus::data {

// The exception that is being handled, with `context` put before its message: a gradus::Error stays of its kind, and
// another becomes the nested exception of an Error.
std::exception_ptr with_context(const std::string& context);

}  // namespace gradus::data
