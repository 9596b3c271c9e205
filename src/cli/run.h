// What the training commands share: their common options, and the folder a run writes to.
#pragma once

#include <cstdint>
#include <string>

#include "io/jsonl.h"

namespace gradus::cli {

struct RunOptions {
  std::uint64_t seed = 1;
  int threads = 0;  // 0: as many as there are cores
  std::string out;
};

// Sets threads and seed, makes the folder, and shows early that it can be written. IoError.
class RunFolder {
 public:
  explicit RunFolder(const RunOptions& options);
  std::string path(const std::string& file) const { return folder_ + "/" + file; }
  io::JsonlWriter& metrics() { return metrics_; }
  void write_summary(const nlohmann::ordered_json& summary) const;

 private:
  static std::string prepared(const RunOptions& options);
  std::string folder_;
  io::JsonlWriter metrics_;
};

// Seconds since some start, always growing.
double seconds_now();

}  // namespace gradus::cli
