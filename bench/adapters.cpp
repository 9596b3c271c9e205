// The Gradus side of adapters.py: steps of LoRA on a language model from a folder, and what they take of memory.
//
//   gradus_adapters MODEL THREADS CASE LAYERS    CASE: one, turns, batch (of four adapters), full, recompute
//
//   gradus_adapters TEXT THREADS course STEPS    AdamW and AdamW8bit on a small GPT-2 of bytes, from the same start
//
// For each line of the standard input, a number of steps, it prints one JSON object: the milliseconds of each step, the
// last loss, and the process's memory in MB, when the model was loaded and at most.
#include <gradus/gradus.h>
#include <gradus/nn/checkpoint.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
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

// The loss of the last tenth of the steps, and the bytes of state per parameter.
template <class Optimizer>
void print_course(const char* name, const Tensor& text, int steps) {
  manual_seed(1);
  models::GPT2 net({.vocab_size = 256, .n_positions = 64, .n_embd = 128, .n_layer = 2, .n_head = 4});
  Optimizer optimizer(net.parameters(), {.lr = 1e-3});
  double sum = 0, bytes = 0, count = 0;
  for (int i = 0; i < steps; ++i) {
    const Tensor starts = reshape(randint(0, text.numel() - 64, {8}), {8, 1});
    const Tensor ids = reshape(index_select(text, 0, reshape(starts + arange(64), {-1})), {8, 64});
    const Tensor loss = models::causal_lm_loss(net(ids), ids);
    optimizer.minimize(loss);
    sum += loss.item();
    if ((i + 1) % (steps / 10) != 0) continue;
    std::printf("%s%s %.4f", i < steps / 10 ? name : "", i < steps / 10 ? ":" : ",", sum / (steps / 10));
    sum = 0;
  }
  for (const Tensor& p : net.parameters()) {
    bytes += static_cast<double>(*optimizer.state_bytes(p));
    count += static_cast<double>(p.numel());
  }
  std::printf("; %.2f bytes of state per parameter\n", bytes / count);
}

int compare_courses(const std::string& path, int steps) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  std::vector<std::int64_t> bytes;
  for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
  print_course<optim::AdamW>("AdamW", tensor(bytes), steps);
  print_course<optim::AdamW8bit>("AdamW8bit", tensor(bytes), steps);
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
  if (kind == "course") return compare_courses(arguments[1], std::stoi(arguments[4]));
  const auto net = models::causal_lm_from_pretrained(arguments[1]);
  const double loaded = megabytes("VmRSS:");
  const int adapters = kind == "turns" || kind == "batch" ? 4 : 1;
  std::vector<std::string> names;
  std::vector<std::unique_ptr<optim::AdamW>> optimizers;
  for (int i = 0; i < adapters; ++i) {
    names.push_back(std::string("a").append(std::to_string(i)));
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
