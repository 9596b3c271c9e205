// W6: what one small operation costs, without and with a graph, and a chain of 100 with its backward.
#include <vector>

#include "ours/workloads.h"

namespace suite {
namespace {

using namespace gradus;

Case add_of_16(bool recorded) {
  const Tensor a = randn({16}, {.requires_grad = recorded}), b = randn({16});
  return {.step =
              [=] {
                const Tensor y = a + b;
                asm volatile("" : : "r"(y.impl()) : "memory");
              },
          .flops = 16};
}

Case chain_of_100() {
  const Tensor a = ones({16}, {.requires_grad = true});
  const auto run = [=](const Tensor& x) {
    Tensor y = x;
    for (int i = 0; i < 100; ++i) y = y * x;
    Tensor(x).zero_grad();
    y.sum().backward();
  };
  return {.step = [=] { run(a); },
          .losses = [=]() -> std::vector<double> {
            const Tensor x = full({16}, 1.01, {.requires_grad = true});
            run(x);
            return {x.grad().sum().item()};
          }};
}

const bool added = add("w6", {{"add", [] { return add_of_16(false); }},
                              {"add-recorded", [] { return add_of_16(true); }},
                              {"chain-100", chain_of_100}});

}  // namespace
}  // namespace suite
