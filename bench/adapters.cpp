// The Gradus side of adapters.py: steps of LoRA on a language model from a folder, and what they take of memory.
//
//   gradus_adapters MODEL THREADS CASE LAYERS    CASE: one, turns, batch (of four adapters), full, recompute
//
// For each line of the standard input, a number of steps, it prints one JSON object: the milliseconds of each step, the
// last loss, and the process's memory in MB, when the model was loaded and at most.
#include <gradus/gradus.h>
#include <gradus/nn/checkpoint.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace gradus;

constexpr std::int64_t kBatch = 4, kLength = 256;

double megabytes(const std::string& field) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(field)) return std::stod(line.substr(field.size() + 1)) / 1024;
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) {
    std::fprintf(stderr, "usage: gradus_adapters MODEL THREADS CASE LAYERS\n");
    return 2;
  }
  const std::string kind = arguments[3];
  set_num_threads(std::stoi(arguments[2]));
  const auto net = models::causal_lm_from_pretrained(arguments[1]);
  const double loaded = megabytes("VmRSS:");
  const int adapters = kind == "turns" || kind == "batch" ? 4 : 1;
  std::vector<std::string> names;
  std::vector<std::unique_ptr<optim::AdamW>> optimizers;
  for (int i = 0; i < adapters; ++i) {
    names.push_back("a" + std::to_string(i));
    if (kind == "full") {
      optimizers.push_back(std::make_unique<optim::AdamW>(net->parameters(), optim::AdamWOptions{.lr = 1e-4}));
      break;
    }
    nn::lora(*net, arguments[4], {.rank = 8, .alpha = 16, .name = names.back()});
    optimizers.push_back(
        std::make_unique<optim::AdamW>(nn::adapter_parameters(*net, names.back()), optim::AdamWOptions{.lr = 1e-4}));
  }
  if (kind == "recompute") nn::recompute(*net, "*.?");
  net->train();
  const Tensor ids = reshape(remainder(arange(kBatch * kLength) * 7919, tensor(4999)), {kBatch, kLength});
  const auto step = [&](std::size_t i) {
    if (kind == "turns") nn::set_adapter(*net, names[i]);
    for (auto& optimizer : optimizers) optimizer->zero_grad();
    const Tensor loss = models::causal_lm_loss((*net)(ids), ids);
    loss.backward();
    for (std::size_t k = 0; k < optimizers.size(); ++k)
      if (kind != "turns" || k == i) optimizers[k]->step();
    return loss.item();
  };
  for (int steps = 0; std::cin >> steps;) {
    std::string times;
    double loss = 0;
    for (int k = 0; k < steps; ++k) {
      const auto start = std::chrono::steady_clock::now();
      if (kind == "batch") {
        const nn::BatchAdapters each(*net, names);
        loss = step(0);
      } else {
        loss = step(static_cast<std::size_t>(k) % names.size());
      }
      const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
      times += (times.empty() ? "" : ", ") + std::to_string(taken.count());
    }
    std::printf("{\"ms\": [%s], \"loss\": %.6f, \"loaded\": %.1f, \"peak\": %.1f}\n", times.c_str(), loss, loaded,
                megabytes("VmHWM:"));
    std::fflush(stdout);
  }
  return 0;
}
