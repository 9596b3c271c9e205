// The command's definitions as a list: what completion scripts and manual pages are made from.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace gradus::cli {

struct OptionEntry {
  std::string name;   // "--seed", "-h", or "DIR" of a positional one
  std::string also;   // "-h" beside "--help"; empty: none
  std::string value;  // "UINT"; empty: a flag
  std::string description, default_value;
  bool positional, required, repeats;
};

struct CommandEntry {
  std::string path;  // "train gan"; the whole command's is empty
  std::string name, description;
  std::vector<OptionEntry> options;
  std::vector<const CommandEntry*> children;
};

// The whole command first, each before what it holds.
std::vector<CommandEntry> command_tree(const CLI::App& app);

}  // namespace gradus::cli
