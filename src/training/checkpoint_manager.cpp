#include <fmt/format.h>
#include <gradus/core/error.h>
#include <gradus/core/memory.h>
#include <gradus/distributed.h>
#include <gradus/io/pytorch.h>
#include <gradus/training/checkpoint_manager.h>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <exception>
#include <filesystem>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "core/range.h"
#include "io/file/atomic_file.h"
#include "io/file/damage.h"

namespace gradus::training {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::string_view kPrefix = "checkpoint-", kSuffix = ".pth";

std::string path_of(const std::string& folder, std::int64_t step) {
  return fmt::format("{}/{}{:08}{}", folder, kPrefix, step, kSuffix);
}

std::string best_path(const std::string& folder) { return folder + "/best.pth"; }

std::optional<std::int64_t> step_of(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return {};
  const std::string_view digits = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  const bool whole = error == std::errc() && end == digits.data() + digits.size() && step >= 0;
  return whole ? std::optional(step) : std::nullopt;
}

[[noreturn]] void fail(const std::string& what, const std::string& path, const std::error_code& error) {
  throw IoError("CheckpointManager: cannot " + what + " " + path + ": " + error.message());
}

// Calls fn(name) for all that lies in the folder.
template <class Fn>
void for_each_name(const std::string& folder, Fn&& fn) {
  std::error_code error;
  fs::directory_iterator it(folder, error);
  while (!error && it != fs::directory_iterator()) {
    fn(it->path().filename().string());
    it.increment(error);
  }
  if (error && error != std::errc::no_such_file_or_directory) fail("list", folder, error);
}

void remove(const std::string& path) {
  std::error_code error;
  fs::remove(path, error);
  if (error) fail("remove", path, error);
}

// What remains of a process that was killed while writing.
void remove_temporaries(const std::string& folder) {
  std::vector<std::string> left;
  for_each_name(folder, [&](const std::string& name) {
    if (io::is_temporary_name(name)) left.push_back(folder + "/" + name);
  });
  std::error_code ignored;  // of a folder that may only be read
  for (const std::string& path : left) fs::remove(path, ignored);
}

// Calls read(). What went wrong if the file is damaged; all else is thrown: no permission, no memory, a disk that
// cannot be read, a checkpoint of a later version say nothing about the file, and may pass.
template <class Read>
std::optional<std::string> read_unless_damaged(const std::string& path, Read&& read) {
  try {
    read();
    return {};
  } catch (const IoError& e) {
    if (!io::is_damaged(path)) throw;
    return e.what();
  }
}

CheckpointManagerOptions checked(const CheckpointManagerOptions& o) {
  const auto need = [](bool good, const char* option, const char* rule, const auto& value) {
    if (!good) throw ValueError(fmt::format("CheckpointManager: {} must be {}, got {}", option, rule, value));
  };
  need(o.every_steps >= 0, "every_steps", "at least 0", o.every_steps);
  need(std::isfinite(o.every_minutes) && o.every_minutes >= 0, "every_minutes", "finite and at least 0",
       o.every_minutes);
  need(o.keep >= 0, "keep", "at least 0", o.keep);
  need(o.mode == "min" || o.mode == "max", "mode", "min or max", o.mode);
  return o;
}

}  // namespace

std::vector<SavedCheckpoint> list_checkpoints(const std::string& folder) {
  std::vector<SavedCheckpoint> found;
  for_each_name(folder, [&](const std::string& name) {
    if (const auto step = step_of(name)) found.push_back({folder + "/" + name, *step});
  });
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return found;
}

struct CheckpointManager::Writing {
  const pid_t process = ::getpid();
  std::atomic<bool> done = false;
  std::exception_ptr error;  // once done
  std::thread thread;        // the last, as it uses the others

  template <class Write>
  explicit Writing(Write write)
      : thread([this, write = std::move(write)]() mutable {
          try {
            // What is written goes with it, before the training learns that it is done.
            std::exchange(write, {})();
          } catch (...) {
            error = std::current_exception();
          }
          done = true;
        }) {}
};

CheckpointManager::CheckpointManager(std::string folder, Checkpoint& state, const CheckpointManagerOptions& options)
    : folder_(std::move(folder)), state_(state), options_(checked(options)), last_time_(Clock::now()) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) fail("make the folder", folder_, error);
  if (!fs::is_directory(folder_, error)) throw IoError("CheckpointManager: '" + folder_ + "' is not a folder");
  if (distributed::rank() == 0) remove_temporaries(folder_);
  if (const std::string best = best_path(folder_); fs::exists(fs::symlink_status(best, error)))
    read_unless_damaged(best, [&] { best_ = read_info(best).metric; });  // the next metric takes a damaged one's place
}

CheckpointManager::~CheckpointManager() {
  if (is_writing()) {
    writing_->thread.join();
  } else {
    static_cast<void>(writing_.release());
  }
}

bool CheckpointManager::better(double metric) const {
  if (!std::isfinite(metric)) return false;
  return !best_ || (options_.mode == "min" ? metric < *best_ : metric > *best_);
}

bool CheckpointManager::step(std::int64_t step, std::optional<double> metric) {
  const std::int64_t every = options_.every_steps;
  const std::chrono::duration<double, std::ratio<60>> minutes = Clock::now() - last_time_;
  bool due = (every > 0 && step / every > last_step_ / every) ||
             (options_.every_minutes > 0 && minutes.count() >= options_.every_minutes) || (metric && better(*metric));
  // All ranks give rank 0 what they have, when it says so: clocks differ, and it alone knows of a file that failed.
  if (state_.is_shared_out()) due = !distributed::all_gather_object(due ? "due" : "").front().empty();
  if (due)
    save(step, metric);
  else if (writing_ && writing_->done)
    wait();
  return due;
}

void CheckpointManager::save(std::int64_t step, std::optional<double> metric) {
  check_range("CheckpointManager", "the step", step, at_least(0));
  if (state_.is_shared_out()) state_.consolidate();  // all ranks, before one of them may throw
  wait();
  last_step_ = step;
  last_time_ = Clock::now();
  const bool best = metric && better(*metric);
  before_ = best_;
  if (best) best_ = metric;
  if (distributed::rank() != 0) return;  // what the ranks would write is the same
  struct Release {
    Checkpoint& state;
    ~Release() { state.release(); }
  } const release{state_};
  const auto document = [&](bool copy) {
    io::Value value = state_.document(copy);
    value.set("step", step);
    if (metric) value.set("metric", *metric);
    return value;
  };
  const auto write_now = [&] {
    try {
      write(document(false), step, best);
    } catch (...) {
      best_ = before_;
      throw;
    }
  };
  if (!options_.background) return write_now();
  try {
    writing_ = std::make_unique<Writing>(
        std::function<void()>([this, copy = document(true), step, best] { write(copy, step, best); }));
  } catch (const OutOfMemory&) {
    write_now();
  } catch (const std::bad_alloc&) {
    write_now();
  } catch (const std::system_error&) {  // no more threads
    write_now();
  }
}

bool CheckpointManager::is_writing() const { return writing_ && writing_->process == ::getpid(); }

void CheckpointManager::wait() {
  if (!is_writing()) {
    // A forked child has no such thread, and what the thread held is never released.
    static_cast<void>(writing_.release());
    return;
  }
  writing_->thread.join();
  const std::unique_ptr<Writing> written = std::move(writing_);
  if (!written->error) return;
  best_ = before_;
  std::rethrow_exception(written->error);
}

void CheckpointManager::write(const io::Value& document, std::int64_t step, bool best) const {
  if (options_.before_commit) options_.before_commit();
  const std::string path = path_of(folder_, step);
  io::save_pytorch(path, document);
  if (best) io::link_file(path, best_path(folder_));
  if (options_.keep == 0) return;
  const auto all = list_checkpoints(folder_);
  std::error_code error;
  for (std::size_t i = 0; i + static_cast<std::size_t>(options_.keep) < all.size(); ++i)
    if (all[i].path != path && !fs::is_directory(fs::symlink_status(all[i].path, error))) remove(all[i].path);
}

// Of several processes, rank 0 looks which one is whole, and the others load that one.
std::optional<CheckpointManager::Loaded> CheckpointManager::load_latest() {
  wait();
  const auto took = [&](const std::string& path) {
    last_step_ = *step_of(fs::path(path).filename().string());
    last_time_ = Clock::now();
    return Loaded{path, last_step_, {}};
  };
  const auto newest = [&]() -> std::optional<Loaded> {
    auto all = list_checkpoints(folder_);
    if (all.empty()) return {};
    std::vector<std::string> damaged, why;
    for (; !all.empty(); all.pop_back()) {
      const std::string& path = all.back().path;
      const auto reason = read_unless_damaged(path, [&] { state_.load(path); });
      if (!reason) break;
      why.push_back(*reason);
      damaged.push_back(path);
    }
    if (all.empty()) throw IoError("CheckpointManager: no checkpoint is whole: " + why.front());
    for (std::size_t i = 0; i < damaged.size(); ++i) {
      std::error_code error;
      fs::rename(damaged[i], damaged[i] + ".damaged", error);
      if (error) why[i] += "; it keeps its name: " + error.message();
    }
    Loaded loaded = took(all.back().path);
    loaded.damaged = std::move(why);
    return loaded;
  };
  if (distributed::size() == 1) return newest();
  try {
    std::optional<Loaded> loaded;
    if (distributed::rank() == 0) loaded = newest();
    const std::string path = distributed::all_gather_object(loaded ? loaded->path : "").front();
    if (path.empty() || distributed::rank() == 0) return loaded;
    state_.load(path);
    return took(path);
  } catch (const std::exception& error) {
    distributed::abort(error.what());
    throw;
  }
}

}  // namespace gradus::training
