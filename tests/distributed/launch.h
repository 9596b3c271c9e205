// Starts the worker in several processes, by each of the ways that this machine has.
#pragma once

#include <string>
#include <vector>

#include "support/command.h"

namespace gradus::test {

// "openmpi", "mpich", "gloo": those that were built and whose launcher is here. Says once which are not, and why.
const std::vector<std::string>& backends();

// Environment and command of one launch; `arguments` are the worker's.
CommandResult launch(const std::string& backend, int ranks, const std::string& arguments,
                     const std::string& environment = "");

// The same of any program; `command` is a line for the shell.
CommandResult launch_program(const std::string& backend, int ranks, const std::string& command,
                             const std::string& environment = "");

std::string worker_path();
int free_port();

}  // namespace gradus::test
