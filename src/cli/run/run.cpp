#include "cli/run/run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gradus/core/error.h>
#include <gradus/core/parallel.h>
#include <gradus/distributed.h>
#include <gradus/io/pytorch.h>
#include <gradus/random.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/run/interrupt.h"
#include "cli/run/output.h"
#include "cli/run/processes.h"
#include "cli/run/run_watch.h"
#include "data/loader/fingerprint.h"
#include "io/file/atomic_file.h"
#include "io/file/damage.h"
#include "io/value/utf8.h"

namespace gradus::cli {

namespace {

namespace fs = std::filesystem;

std::string checkpoint_folder(const std::string& out) { return out + "/checkpoints"; }

// The command line of a run that has not saved its first checkpoint yet.
std::string start_file(const std::string& out) { return out + "/start.pth"; }

bool has_started(const std::string& out) {
  std::error_code error;
  return training::list_checkpoints(checkpoint_folder(out)).empty() && fs::exists(start_file(out), error);
}

void make_folder(const std::string& out) {
  std::error_code error;
  fs::create_directories(out, error);
  if (error) throw IoError("--out: cannot make the folder '" + out + "': " + error.message());
  if (!fs::is_directory(out, error)) throw IoError("--out: '" + out + "' is not a folder");
}

// Two processes that write to one folder would spoil both runs. The system releases the lock when the process ends.
void lock_folder(io::Fd& lock, const std::string& out) {
  lock.reset(io::open_file(out, O_RDONLY | O_DIRECTORY));
  if (!lock) io::throw_io_error("open", "use the folder", out, errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    throw IoError("--out: another run is writing to '" + out + "'");
}

bool holds_run(const std::string& out) {
  std::error_code error;
  return !training::list_checkpoints(checkpoint_folder(out)).empty() || fs::exists(out + "/summary.json", error);
}

void drop_run(const std::string& out) {
  const std::string folder = checkpoint_folder(out);
  const auto drop = [](const std::string& path) {
    std::error_code error;
    fs::remove(path, error);
    if (error) throw IoError("--overwrite: cannot remove " + path + ": " + error.message());
  };
  for (const auto& saved : training::list_checkpoints(folder)) drop(saved.path);
  drop(folder + "/best.pth");
  drop(out + "/summary.json");
}

// Paths may have bytes that are not UTF-8, which strings of PyTorch's files must be.
io::Value path_value(const std::string& text) { return io::is_utf8(text) ? io::Value(text) : io::Value::bytes(text); }
std::string path_of(const io::Value& value) {
  return value.is(io::Value::Kind::Bytes) ? value.as_bytes() : value.as_string();
}

}  // namespace

// Anomalies are looked for in every process.
Run::Run(const RunOptions& options)
    : options_(options),
      views_(leads() ? options.views : ViewOptions{.detect_anomaly = options.views.detect_anomaly}, options.out) {
  if (options_.receipt) {
    if (options_.receipt->empty()) options_.receipt = path("receipt.json");
    if (!options_.receipt->ends_with(".json"))
      throw ValueError("--receipt: needs a name that ends in .json, got '" + *options_.receipt + "'");
  }
  require_available("--device", device());
  check_chunks(options_.chunks);
  if (writes()) {
    make_folder(options_.out);
    lock_folder(lock_, options_.out);
    if (!options_.resume && !options_.overwrite && holds_run(options_.out)) {
      throw ValueError(
          fmt::format("--out: '{0}' holds an earlier run: continue it with `gradus resume {0}`, "
                      "give another folder, or drop it with --overwrite",
                      options_.out));
    }
  }
  std::signal(SIGPIPE, SIG_IGN);  // a log that nobody reads any more must not end the run
  if (options_.threads > 0) set_num_threads(options_.threads);
  manual_seed(options_.seed);
  // Networks that have converged are full of numbers too small to matter and slow to multiply.
  set_flush_denormal(true);

  io::Value arguments = io::Value::list();
  for (const std::string& argument : options_.arguments) arguments.push_back(path_value(argument));
  state_.options.set("arguments", arguments);
  std::error_code error;
  state_.options.set("folder", path_value(fs::current_path(error).string()));
  if (writes() && !options_.resume && !holds_run(options_.out))
    warn_on_failure([&] { io::save_pytorch(start_file(options_.out), state_.options); });
  state_.add("step", step_);
  state_.add("seconds", seconds_);
  state_.add(
      "metrics", [this] { return save_metrics(); }, [this](const io::Value& value) { load_metrics(value); });
}

bool Run::writes() const { return leads(); }

Run::~Run() {
  std::error_code ignored;
  if (writes() && !manager_ && !options_.resume) fs::remove(start_file(options_.out), ignored);
}

void Run::use_data(const std::string& name, const data::Dataset& dataset, const std::vector<std::string>& classes) {
  io::Value now = data::fingerprint(dataset);
  io::Value names = io::Value::list();
  for (const std::string& one : classes) names.push_back(io::escaped_utf8(one));
  now.set("classes", names);
  state_.add(
      name, [now] { return now; },
      [now](const io::Value& saved) {
        const std::string before = saved.at({"classes"}).to_string(), here = now.at({"classes"}).to_string();
        if (before != here)
          throw ValueError("the run was started with other classes: " + before + " then, " + here + " now");
        data::check_fingerprint(saved, now);
      });
}

template <class Call>
void Run::warn_on_failure(Call&& call) {
  try {
    call();
  } catch (const IoError& e) {
    warn(std::string(e.what()) + "; training goes on");
  }
}

void Run::watch(Watched watched) {
  if (!writes() || (!options_.audit && !options_.receipt)) return;
  watch_ = std::make_unique<RunWatch>(std::move(watched), options_.audit, options_.receipt.value_or(""));
  if (options_.receipt)
    state_.add(
        "receipt", [this] { return io::Value(watch_->save_receipt()); },
        [this](const io::Value& value) { watch_->load_receipt(value.as_string()); });
}

void Run::begin_phase(const std::string& name) {
  if (watch_) watch_->begin_phase(name);
}

void Run::end_epoch() {
  updater_->check_same();
  if (watch_) warn_on_failure([&] { watch_->end_epoch(path("audit.json")); });
}

// The lines of a run that begins, or those up to its checkpoint.
void Run::begin_files(bool anew) {
  if (!writes()) return;
  if (!anew) {
    metrics_.emplace(path("metrics.jsonl"), metrics_bytes_);
    return;
  }
  drop_run(options_.out);
  metrics_.emplace(path("metrics.jsonl"), io::JsonlWriter::Existing::kReplace);
  for (const auto& [file, text] : files_) io::write_file(path(file), text);
}

void Run::begin(nn::Module& networks) {
  if (distributed::size() > 1) say("{}\n", describe_processes(training::chunks_of_run(options_.chunks)));
  // Rank 0 has looked, as the others may see another disk.
  const bool anew =
      distributed::all_gather_object(!options_.resume || has_started(options_.out) ? "anew" : "").front() == "anew";
  if (anew) begin_files(anew);
  manager_.emplace(checkpoint_folder(options_.out), state_,
                   training::CheckpointManagerOptions{.every_steps = options_.save_every,
                                                      .every_minutes = options_.save_minutes,
                                                      .keep = options_.keep,
                                                      .mode = options_.best,
                                                      .before_commit = [this] { metrics_->sync(); }});
  if (!anew) {
    const auto loaded = manager_->load_latest();
    if (!loaded) throw ValueError("resume: there is no checkpoint in '" + manager_->folder() + "'");
    // Cut off only now: another part may have refused what it should load.
    begin_files(anew);
    for (const std::string& why : loaded->damaged) warn(why + "; going on from " + loaded->path);
    saved_step_ = step_;
    if (watch_) watch_->begin(step_);
  } else {
    if (watch_) watch_->begin(step_);
    save();  // from here on it goes on from where it was
    std::error_code ignored;
    if (writes() && saved_step_ == step_) fs::remove(start_file(options_.out), ignored);
  }
  updater_.emplace(networks, options_.chunks);
  views_.begin(step_, options_.arguments);
  start_ = seconds_now() - seconds_;
}

int Run::signal() const { return distributed::size() > 1 ? agreed_signal_ : interrupt_signal(); }

bool Run::interrupted() const { return signal() != 0 || diverged_; }

std::optional<training::Updater::Result> Run::update(const std::string& loss, optim::Optimizer& optimizer,
                                                     const distributed::ChunkedBatch& batch,
                                                     const training::Updater::Loss& compute) {
  return updater_->minimize(optimizer, batch, compute, [&](double value) { return accept(loss, value); });
}

bool Run::accept(const std::string& loss, double value) {
  if (std::isfinite(value)) return !diverged_;
  const std::int64_t step = step_ + 1;
  const bool first = nonfinite_steps_ == 0;
  if (last_nonfinite_ != step) ++nonfinite_steps_;
  last_nonfinite_ = step;
  const std::string said = fmt::format("step {}: {} is {}", step, loss, std::isnan(value) ? std::fabs(value) : value);
  if (options_.on_nan != "stop") {
    const bool skip = options_.on_nan == "skip";
    if (first) warn(said + (skip ? "; such updates are skipped" : "; the run goes on"));
    return !skip;
  }
  if (diverged_) return false;
  diverged_ = {step, loss, value};
  log({{"step", step}, {loss, value}});
  warn(said +
       "; the run ends before this update (--on-nan skip or continue keep it going; --detect-anomaly names the "
       "operation)");
  return false;
}

void Run::check_finite(const std::string& name, const nn::Module& net) {
  for (const auto& [path, x] : net.named_parameters()) {
    if (x.numel() == 0 || std::isfinite(x.detach().abs().max().item())) continue;
    return say_not_finite(fmt::format("{}.{} has numbers that are not finite", name, path));
  }
}

void Run::say_not_finite(const std::string& what) {
  warn(fmt::format("step {}: {}", step_, what));
  spoilt_ = true;
}

int Run::status() const {
  if (signal() != 0) return 130;
  return diverged_ || spoilt_ || last_nonfinite_ == step_ ? 3 : 0;
}

// Where metrics.jsonl ended at the checkpoint. Lines that a resumed run will write again are cut off.
io::Value Run::save_metrics() {
  io::Value waiting = io::Value::list();
  for (const auto& record : waiting_) waiting.push_back(io::to_text(record));
  return io::Value::dict({{"bytes", metrics_ ? metrics_->size() : metrics_bytes_},
                          {"waiting", waiting},
                          {"nonfinite_steps", nonfinite_steps_}});
}

void Run::load_metrics(const io::Value& value) {
  std::vector<nlohmann::ordered_json> waiting;
  for (std::size_t i = 0; i < value.size({"waiting"}); ++i)
    waiting.push_back(nlohmann::ordered_json::parse(value.as_string({"waiting", i})));
  metrics_bytes_ = value.as_int({"bytes"});
  waiting_ = std::move(waiting);
  nonfinite_steps_ = value.contains({"nonfinite_steps"}) ? value.as_int({"nonfinite_steps"}) : 0;
}

bool Run::flush() {
  try {
    std::size_t written = 0;
    const auto drop = [&] {
      waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(written));
    };
    try {
      for (; written < waiting_.size(); ++written) metrics_->write(waiting_[written]);
    } catch (...) {
      drop();
      throw;
    }
    drop();
    warned_ = false;
    return true;
  } catch (const IoError& e) {
    if (!std::exchange(warned_, true)) warn(std::string(e.what()) + "; training goes on, lines wait in memory");
    return false;
  }
}

void Run::log(const nlohmann::ordered_json& record, std::optional<std::int64_t> step) {
  if (!writes()) return;
  waiting_.push_back(io::finite(record));
  flush();
  warn_on_failure([&] { views_.log(record, step.value_or(step_ + 1)); });
}

void Run::log_images(const std::string& tag, const Tensor& batch) {
  warn_on_failure([&] { views_.images(tag, batch, step_ + 1); });
}

void Run::log_histograms(const std::string& name, const nn::Module& net) {
  warn_on_failure([&] { views_.histograms(name, net, step_ + 1); });
}

void Run::advance(std::optional<double> metric) {
  ++step_;
  views_.advance();
  seconds_ = seconds_now() - start_;
  if (distributed::size() > 1)
    agreed_signal_ = greatest_of_all(fmt::format("the end of step {} of the run", step_), interrupt_signal());
  warn_on_failure([&] { manager_->step(step_, metric); });
  // At once, while a loader still stands where it is.
  if (interrupted()) save();
}

void Run::save() {
  warn_on_failure([&] { manager_->wait(); });
  if (saved_step_ == step_) return;
  warn_on_failure([&] {
    manager_->save(step_);
    manager_->wait();
    saved_step_ = step_;
  });
}

void Run::rate(double metric) {
  warn_on_failure([&] { manager_->step(step_, metric); });
}

void Run::end_phase() {
  if (saved_step_ == step_) return;
  warn_on_failure([&] { manager_->save(step_); });
}

void Run::end() {
  save();
  updater_->check_same();
  if (watch_) watch_->end(path("audit.json"));
  warn_on_failure([&] { views_.end(); });
}

void Run::write_summary(const nlohmann::ordered_json& summary) {
  if (!writes()) return;
  if (!flush()) throw IoError("write: cannot write " + path("metrics.jsonl") + ": its last lines are lost");
  nlohmann::ordered_json whole = summary;
  if (distributed::size() > 1) whole["processes"] = distributed::size();
  if (updater_ && updater_->cuts()) whole["chunks"] = training::chunks_of_run(options_.chunks);
  if (nonfinite_steps_ > 0) whole["nonfinite_steps"] = nonfinite_steps_;
  if (diverged_) whole["diverged"] = {{"step", diverged_->step}, {diverged_->loss, diverged_->value}};
  io::write_json_file(path("summary.json"), whole);
  if (nonfinite_steps_ > 1 || (nonfinite_steps_ == 1 && !diverged_))
    warn(fmt::format("{} of {} steps had a loss that is not finite", nonfinite_steps_, step_));
}

RecordedStart recorded_start(const std::string& folder) {
  const auto start_in = [](const io::Value& options) {
    RecordedStart start;
    for (const io::Value& argument : options.items({"arguments"})) start.arguments.push_back(path_of(argument));
    if (options.contains({"folder"})) start.folder = path_of(options.at({"folder"}));
    return start;
  };
  if (has_started(folder)) return start_in(io::load_pytorch(start_file(folder)));
  const auto all = training::list_checkpoints(checkpoint_folder(folder));
  if (all.empty()) throw ValueError("resume: there is no checkpoint in '" + checkpoint_folder(folder) + "'");
  std::string why;
  for (auto it = all.rbegin(); it != all.rend(); ++it) {
    try {
      return start_in(training::read_info(it->path).options);
    } catch (const IoError& e) {
      if (!io::is_damaged(it->path)) throw;
      why = e.what();
    }
  }
  throw IoError("resume: no checkpoint is whole: " + why);
}

void warn(const std::string& message) {
  if (is_quiet()) return;
  complain(fmt::format("{}gradus: {}", ::isatty(STDERR_FILENO) ? "\n" : "", message));
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace gradus::cli
