// Where time goes: every operation, forward and backward, with its FLOPs and bytes; modules; steps of optimizers.
//
//   Profiler profiler;
//   ... some steps of training ...
//   profiler.stop();
//   std::puts(profiler.table().c_str());
//   profiler.export_chrome_trace("trace.json");   // for chrome://tracing or ui.perfetto.dev
//
// As torch.profiler. While none runs, an operation pays for one comparison. While one does, it watches all threads that
// run operations, and costs some 0.2 us for each; the threads within an operation are not told apart.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gradus/detail/observer.h>

namespace gradus {

struct ProfilerOptions {
  bool record_shapes = false;           // keep the sizes of each operation's inputs, for the trace
  std::int64_t max_events = 2'000'000;  // later ones are in the tables, but not in the trace
};

class Profiler {
 public:
  enum class Kind { forward, backward, node, layer, span };

  // Of one kind of work, over all calls. `node`: the backward of an operation, without the operations that it ran.
  struct Row {
    std::string name;
    Kind kind = Kind::forward;
    std::int64_t calls = 0;
    double seconds = 0;       // with what ran within it
    double self_seconds = 0;  // without
    std::int64_t flops = 0, bytes = 0;
  };
  struct Event {
    const char* name;  // lives as long as the profiler
    Kind kind;
    int thread;                          // 0 is the first that was seen
    std::int64_t start_ns, duration_ns;  // since the profiler started
    std::int64_t flops, bytes;
    const char* detail;  // sizes of the inputs, or a layer's type; null: none
  };

  // Starts. ValueError where one is running.
  explicit Profiler(const ProfilerOptions& options = {});
  ~Profiler();
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;

  // Ends it; further calls do nothing.
  void stop();
  double seconds() const;  // from the start to stop(), or to now

  // By operation, what takes longest first, as key_averages() in PyTorch.
  std::vector<Row> key_averages() const;
  // By the module in which the operations ran, without the modules within it.
  std::vector<Row> by_layer() const;
  // For a terminal: the first rows of key_averages(), and the sums. `rows` 0: all.
  std::string table(std::size_t rows = 25) const;
  std::string layer_table(std::size_t rows = 25) const;
  // In the order in which they ended, and how many were too many.
  std::vector<Event> events() const;
  std::int64_t dropped_events() const;
  // The format of Chrome's tracing, which Perfetto reads too. IoError.
  void export_chrome_trace(const std::string& path) const;

 private:
  struct Recorder;
  std::unique_ptr<Recorder> recorder_;
};

// A named piece of work in profiles, as torch.profiler.record_function: `const RecordFunction scope("load data");`
class RecordFunction {
 public:
  explicit RecordFunction(std::string name) : name_(std::move(name)), span_(name_.c_str()) {}

 private:
  std::string name_;
  detail::Span span_;
};

}  // namespace gradus
