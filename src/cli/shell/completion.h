// Completion of the command's own line in shells, made from its definitions.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace gradus::cli {

// What may stand in the place of a positional argument, by command: {"flops", {"lenet", ...}}.
using CompletionWords = std::map<std::string, std::vector<std::string>>;

// A script for "bash", "zsh" or "fish". ValueError for another shell.
std::string completion_script(const CLI::App& app, const std::string& shell, const CompletionWords& words);

// Defines `gradus completion SHELL`, which prints one.
void add_completion(CLI::App& app, int& status);

}  // namespace gradus::cli
