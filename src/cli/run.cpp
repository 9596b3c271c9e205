#include "cli/run.h"

#include <gradus/error.h>
#include <gradus/parallel.h>
#include <gradus/random.h>

#include <chrono>
#include <filesystem>

#include <nlohmann/json.hpp>

namespace gradus::cli {

std::string RunFolder::prepared(const RunOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error) throw IoError("--out: cannot make the folder '" + options.out + "': " + error.message());
  if (!std::filesystem::is_directory(options.out, error)) throw IoError("--out: '" + options.out + "' is not a folder");
  if (options.threads > 0) set_num_threads(options.threads);
  manual_seed(options.seed);
  // Networks that have converged are full of numbers too small to matter and slow to multiply.
  set_flush_denormal(true);
  return options.out;
}

RunFolder::RunFolder(const RunOptions& options)
    : folder_(prepared(options)), metrics_(path("metrics.jsonl"), io::JsonlWriter::Existing::kReplace) {}

void RunFolder::write_summary(const nlohmann::ordered_json& summary) const {
  io::write_json_file(path("summary.json"), summary);
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace gradus::cli
