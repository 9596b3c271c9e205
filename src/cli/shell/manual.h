// Manual pages, made from the command's definitions.
#pragma once

#include <map>
#include <string>

namespace CLI {
class App;
}

namespace gradus::cli {

// Pages of section 1 by file name: gradus.1, and one for each command that does something, as gradus-train-gan.1.
std::map<std::string, std::string> manual_pages(const CLI::App& app, const std::string& version);

// Defines `gradus manual DIR`, which writes them. It is for packages, and not in the help.
void add_manual(CLI::App& app, int& status);

}  // namespace gradus::cli
