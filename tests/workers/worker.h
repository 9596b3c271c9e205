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
void gradients();

// As LeNet, with what chunks must take care of: batch statistics and random numbers.
struct Pictures : nn::Module {
  nn::Conv2d conv1 = add("conv1", nn::Conv2d(1, 4, 5));
  nn::BatchNorm2d norm = add("norm", nn::BatchNorm2d(4));
  nn::Conv2d conv2 = add("conv2", nn::Conv2d(4, 8, 5));
  nn::BatchNorm2d norm2 = add("norm2", nn::BatchNorm2d(8, {.momentum = {}}));
  nn::Dropout dropout = add("dropout", nn::Dropout(0.3));
  nn::Linear fc = add("fc", nn::Linear(8 * 4 * 4, 10));
  Tensor forward(const Tensor& x) override {
    const Tensor y = max_pool2d(relu(norm(conv1(x))), 2);
    return fc(dropout(max_pool2d(relu(norm2(conv2(y))), 2).flatten(1)));
  }
};

// Of all parameters and buffers, bit by bit.
std::string hash_of(const nn::Module& net);

// One line on standard output; with `all` of each rank, else of rank 0.
void say(const std::string& line, bool all = false);
// Where it does not hold, an error that names the rank.
void require(bool holds, const std::string& what);

}  // namespace gradus::test
