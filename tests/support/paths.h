#pragma once

#include <string>

namespace gradus::test {

/// The path of a file of the repository, e.g. source_path("tests/traces/adam.json").
std::string source_path(const std::string& relative);

/// The path of the built gradus command.
std::string command_path();

}  // namespace gradus::test
