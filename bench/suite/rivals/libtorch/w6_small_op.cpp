// W6 in LibTorch, as ours/w6_small_op.cpp: w6_small_op THREADS
#include <vector>

#include <torch/torch.h>

#include "serve.h"

namespace {

using suite::Case;

Case add_of_16(bool recorded) {
  const torch::Tensor a = torch::randn({16}).requires_grad_(recorded), b = torch::randn({16});
  return {[=] {
    const torch::Tensor y = a + b;
    asm volatile("" : : "r"(y.unsafeGetTensorImpl()) : "memory");
  }};
}

Case chain_of_100() {
  const auto run = [](const torch::Tensor& x) {
    torch::Tensor y = x;
    for (int i = 0; i < 100; ++i) y = y * x;
    x.mutable_grad() = torch::Tensor();
    y.sum().backward();
  };
  const torch::Tensor a = torch::ones({16}).requires_grad_();
  return {[=] { run(a); },
          [=]() -> std::vector<double> {
            const torch::Tensor x = torch::full({16}, 1.01).requires_grad_();
            run(x);
            return {x.grad().sum().item<double>()};
          }};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  torch::set_num_threads(std::atoi(argv[1]));
  return suite::Server({{"add", [] { return add_of_16(false); }},
                        {"add-recorded", [] { return add_of_16(true); }},
                        {"chain-100", chain_of_100}})
      .run(argc - 1, argv + 1);
}
