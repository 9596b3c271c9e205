// One command in several processes: mpirun -n 4 gradus train ...
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace gradus::cli {

// Calls `command`, which returns the exit status, once this process has found the others, and parts from them after it.
int in_processes(const std::function<int()>& command);

// Whether this process writes files and speaks: rank 0, and one that is alone.
bool leads();

// An error that ends the command. All processes end with it; it is said once, by rank 0 where that is possible.
void complain_of(const std::string& error, bool of_processes);

// The largest of what the processes give; all call it, with the same words.
int greatest_of_all(const std::string& what, int own);

// The lines of all processes, each once.
std::vector<std::string> lines_of_all(const std::vector<std::string>& own);

// ValueError for a number of --chunks that is less than that of the processes.
void check_chunks(std::int64_t chunks);

// "4 processes (openmpi), 8 chunks of every batch; threads of each: 1"; all call it.
std::string describe_processes(std::int64_t chunks);

}  // namespace gradus::cli
