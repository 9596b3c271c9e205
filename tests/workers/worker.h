// A program that the tests of several processes start: `mpirun -n 4 gradus_distributed_worker CASE ARGUMENTS`. It sees
// the public headers only.
#pragma once

#include <gradus/gradus.h>

#include <string>
#include <vector>

namespace gradus::test {

using Arguments = std::vector<std::string>;

void collectives(const Arguments& arguments);
void train(const Arguments& arguments);
void resume(const Arguments& arguments);
void fault(const Arguments& arguments);
void parallel(const Arguments& arguments);
void sharing();

// Of all parameters and buffers, bit by bit.
std::string hash_of(const nn::Module& net);

// One line on standard output; with `all` of each rank, else of rank 0.
void say(const std::string& line, bool all = false);
// Where it does not hold, an error that names the rank.
void require(bool holds, const std::string& what);

}  // namespace gradus::test
