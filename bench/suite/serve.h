// How a side of bench/compare is asked: one request per line on standard input, one JSON line for each on standard
// output. Nothing here knows any library, so that the rivals in C++ use it too.
//
//   list                 {"cases": ["joint/64", ...]}
//   check CASE           {"losses": [...], "flops": N, "bytes": N}; losses of the first steps, which all sides share
//   time CASE SECONDS    {"seconds": S, "steps": N}: S per step, over N steps that take about SECONDS
//   forget               {}; frees what the cases so far hold
//
// Words are separated by tabs. `PROGRAM once CASE STEPS` takes that many steps and ends: what is timed from outside,
// and measured for its memory.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace suite {

struct Case {
  std::function<void()> step;                     // what is timed
  std::function<std::vector<double>()> losses{};  // of the first steps, without random numbers; called before step
  double flops = 0;                               // a step's, for the limit
  double bytes = 0;                               // that a step must move between memory and processor
};

using Makers = std::vector<std::pair<std::string, std::function<Case()>>>;

// The same numbers on every side, in [-scale, scale): a hash of the seed and the position.
inline std::vector<float> numbers(std::int64_t count, std::uint32_t seed, double scale) {
  std::vector<float> values(static_cast<std::size_t>(count));
  std::uint32_t i = 0;
  for (float& value : values) {
    std::uint32_t h = ++i * 2654435761U + seed * 40503U;
    h ^= h >> 16;
    h *= 2246822519U;
    h ^= h >> 13;
    h *= 3266489917U;
    h ^= h >> 16;
    value = static_cast<float>((h * 0x1p-32 * 2 - 1) * scale);
  }
  return values;
}

class Server {
 public:
  // `finish` may complete a case once its losses are known.
  explicit Server(Makers makers, std::function<void(Case&)> finish = {})
      : makers_(std::move(makers)), finish_(std::move(finish)) {}

  int run(int argc, char** argv) {
    try {
      if (argc == 4 && std::string(argv[1]) == "once") {
        Case& one = at(argv[2]);
        const int steps = std::atoi(argv[3]);
        for (int i = 0; i < steps; ++i) one.step();
        return 0;
      }
      for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string request, name;
        double seconds = 0;
        words >> request >> name >> seconds;
        if (request == "list") list();
        if (request == "check") check(name);
        if (request == "time") time(at(name), seconds);
        if (request == "forget") {
          made_.clear();
          std::printf("{}\n");
        }
        std::fflush(stdout);
      }
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      return 1;
    }
    return 0;
  }

 private:
  Case& at(const std::string& name) {
    const auto known = made_.find(name);
    if (known != made_.end()) return known->second;
    for (const auto& [maker, make] : makers_)
      if (maker == name) return made_.emplace(name, make()).first->second;
    throw std::runtime_error("there is no case '" + name + "'");
  }

  void list() const {
    const char* separator = "{\"cases\": [";
    for (const auto& [name, make] : makers_) {
      std::printf("%s\"%s\"", separator, name.c_str());
      separator = ", ";
    }
    std::printf("]}\n");
  }

  void check(const std::string& name) {
    Case& one = at(name);
    const std::vector<double> losses = one.losses ? one.losses() : std::vector<double>();
    if (finish_) finish_(one);
    std::printf("{\"losses\": [");
    for (std::size_t i = 0; i < losses.size(); ++i) std::printf("%s%.9g", i == 0 ? "" : ", ", losses[i]);
    std::printf("], \"flops\": %.0f, \"bytes\": %.0f}\n", one.flops, one.bytes);
  }

  static double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

  // The clock is read about every millisecond.
  static void time(const Case& one, double seconds) {
    one.step();
    std::int64_t batch = 1;
    for (;; batch *= 2) {
      const double start = now();
      for (std::int64_t i = 0; i < batch; ++i) one.step();
      if (now() - start > 1e-3) break;
    }
    std::int64_t steps = 0;
    const double start = now();
    double spent = 0;
    for (; spent < seconds; spent = now() - start) {
      for (std::int64_t i = 0; i < batch; ++i) one.step();
      steps += batch;
    }
    std::printf("{\"seconds\": %.9g, \"steps\": %lld}\n", spent / static_cast<double>(steps),
                static_cast<long long>(steps));
  }

  Makers makers_;
  std::function<void(Case&)> finish_;
  std::map<std::string, Case> made_;
};

}  // namespace suite
