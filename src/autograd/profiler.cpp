#include <gradus/autograd/op.h>
#include <gradus/profiler.h>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "autograd/watching.h"
#include "text/table.h"
#include "text/units.h"

namespace gradus {

namespace {

using Clock = std::chrono::steady_clock;
using Kind = Profiler::Kind;
using Row = Profiler::Row;

constexpr const char* kKinds[] = {"forward", "backward", "backward (own)", "layer", "span"};

std::vector<Row> sorted(std::vector<Row> rows) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.self_seconds > b.self_seconds; });
  return rows;
}

std::string table_of(const std::vector<Row>& rows, std::size_t most, double total, const char* title, bool with_rates) {
  std::vector<Table::Column> columns{{title},        {"pass"},        {"calls", true},
                                     {"time", true}, {"share", true}, {"each", true}};
  if (with_rates) columns.insert(columns.end(), {{"FLOP/s", true}, {"FLOPs", true}, {"bytes", true}});
  Table table(columns);
  const std::size_t shown = most == 0 ? rows.size() : std::min(most, rows.size());
  double rest = 0, sum = 0;
  std::int64_t rest_calls = 0, flops = 0, bytes = 0;
  const auto share = [&](double seconds) { return fmt::format("{:.1f}%", total > 0 ? 100 * seconds / total : 0.0); };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    sum += row.self_seconds;
    flops += row.flops;
    bytes += row.bytes;
    if (i >= shown) {
      rest += row.self_seconds;
      rest_calls += row.calls;
      continue;
    }
    std::vector<std::string> cells{
        row.name,
        kKinds[static_cast<int>(row.kind)],
        grouped(row.calls),
        short_time(row.self_seconds),
        share(row.self_seconds),
        short_time(row.self_seconds / static_cast<double>(std::max<std::int64_t>(row.calls, 1)))};
    if (with_rates && row.flops > 0)
      cells.insert(cells.end(), {short_count(static_cast<double>(row.flops) / std::max(row.self_seconds, 1e-12)),
                                 short_count(static_cast<double>(row.flops))});
    if (with_rates && row.flops <= 0) cells.insert(cells.end(), {"-", "-"});
    if (with_rates) cells.push_back(row.bytes > 0 ? byte_count(static_cast<double>(row.bytes)) : "-");
    table.add(std::move(cells));
  }
  table.rule();
  if (shown < rows.size())
    table.add({fmt::format("{} more", rows.size() - shown), "", grouped(rest_calls), short_time(rest), share(rest)});
  table.add({"outside of these", "", "", short_time(std::max(total - sum, 0.0)), share(std::max(total - sum, 0.0))});
  std::vector<std::string> all{"all", "", "", short_time(total), share(total), ""};
  if (with_rates)
    all.insert(all.end(), {short_count(static_cast<double>(flops) / std::max(total, 1e-12)),
                           short_count(static_cast<double>(flops)), byte_count(static_cast<double>(bytes))});
  table.add(std::move(all));
  return table.to_string();
}

}  // namespace

struct Profiler::Recorder final : detail::Observer {
  struct Open {
    const char* name;
    Kind kind;
    std::int64_t start, inner_ns = 0, inner_flops = 0;
    const char* detail = nullptr;
  };
  struct Thread {
    int number;
    std::vector<Open> open;
  };

  explicit Recorder(const ProfilerOptions& o) : options(o), started(Clock::now()) { detail::watch_all_threads(*this); }
  ~Recorder() override { stop(); }

  void stop() {
    if (stopped_ns >= 0) return;
    detail::unwatch_all_threads();  // and waits for calls that are under way
    const std::lock_guard lock(mutex);
    stopped_ns = now();
  }

  std::int64_t now() const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - started).count();
  }
  const char* kept(const std::string& text) { return names.insert(text).first->c_str(); }
  Thread& thread() {
    const auto number = static_cast<int>(threads.size());
    return threads.try_emplace(std::this_thread::get_id(), Thread{number, {}}).first->second;
  }

  void begin(const std::string& name, Kind kind, const std::string& more = "") {
    const std::lock_guard lock(mutex);
    thread().open.push_back({kept(name), kind, now(), 0, 0, more.empty() ? nullptr : kept(more)});
  }

  void end(Kind kind, std::int64_t flops = 0, std::int64_t bytes = 0, const std::string& more = "",
           const detail::LayerRef& layer = nullptr) {
    const std::lock_guard lock(mutex);
    Thread& on = thread();
    if (on.open.empty() || on.open.back().kind != kind) return;  // it began before the profiler did
    const Open done = on.open.back();
    on.open.pop_back();
    const std::int64_t duration = now() - done.start;
    const std::int64_t own = duration - done.inner_ns;
    const auto count = [&](Row& row) {
      ++row.calls;
      row.seconds += static_cast<double>(duration) * 1e-9;
      row.self_seconds += static_cast<double>(own) * 1e-9;
      row.flops += std::max<std::int64_t>(flops - done.inner_flops, 0);
      row.bytes += bytes;
    };
    Row& row = rows[{done.name, kind}];
    row.name = done.name;
    row.kind = kind;
    count(row);
    if (kind == Kind::forward || kind == Kind::backward || kind == Kind::node) {
      const Kind pass = kind == Kind::forward ? Kind::forward : Kind::backward;
      const std::string place = layer ? layer->to_string() : "(no module)";
      Row& of_layer = layers[{place, pass}];
      of_layer.name = place;
      of_layer.kind = pass;
      count(of_layer);
    }
    if (!on.open.empty()) {
      on.open.back().inner_ns += duration;
      on.open.back().inner_flops += flops;
    }
    if (static_cast<std::int64_t>(events.size()) < options.max_events) {
      events.push_back(
          {done.name, kind, on.number, done.start, duration, flops, bytes, more.empty() ? done.detail : kept(more)});
    } else {
      ++dropped;
    }
  }

  static Kind pass() { return detail::in_backward_pass() ? Kind::backward : Kind::forward; }
  void begin_operation(const char* name) override { begin(name, pass()); }
  void end_operation(const detail::Operation& operation) override {
    std::string sizes;
    if (options.record_shapes)
      for (const Tensor* x : operation.inputs)
        if (x->defined()) sizes += (sizes.empty() ? "" : ", ") + to_string(x->sizes());
    end(pass(), operation.cost.flops, operation.bytes, sizes, detail::current_layer());
  }
  void begin_backward(const Node& node) override { begin(node.name(), Kind::node); }
  void end_backward(const Node& node, std::span<const Tensor>) override { end(Kind::node, 0, 0, "", node.layer()); }
  void begin_layer(const detail::Layer& layer) override {
    begin(layer.path.empty() ? layer.type : layer.path, Kind::layer, layer.type);
  }
  void end_layer(const detail::Layer&, const Tensor*) override { end(Kind::layer); }
  void begin_span(const char* name) override { begin(name, Kind::span); }
  void end_span() override { end(Kind::span); }

  const ProfilerOptions options;
  const Clock::time_point started;
  mutable std::mutex mutex;
  std::int64_t stopped_ns = -1, dropped = 0;
  std::unordered_set<std::string> names;
  std::unordered_map<std::thread::id, Thread> threads;
  std::map<std::pair<std::string, Kind>, Row> rows, layers;
  std::vector<Event> events;
};

Profiler::Profiler(const ProfilerOptions& options) {
  if (options.max_events < 0)
    throw ValueError("Profiler: max_events must not be negative, got " + std::to_string(options.max_events));
  recorder_ = std::make_unique<Recorder>(options);
}

Profiler::~Profiler() = default;

void Profiler::stop() { recorder_->stop(); }

double Profiler::seconds() const {
  const std::lock_guard lock(recorder_->mutex);
  return static_cast<double>(recorder_->stopped_ns >= 0 ? recorder_->stopped_ns : recorder_->now()) * 1e-9;
}

std::vector<Row> Profiler::key_averages() const {
  const std::lock_guard lock(recorder_->mutex);
  std::vector<Row> rows;
  // A layer's own time is what lies between its operations; it would only repeat the names of the layers.
  Row between{"between operations of modules", Kind::layer};
  for (const auto& [key, row] : recorder_->rows) {
    if (row.kind != Kind::layer) {
      rows.push_back(row);
      continue;
    }
    between.calls += row.calls;
    between.self_seconds += row.self_seconds;
    between.seconds += row.self_seconds;
  }
  if (between.calls > 0) rows.push_back(between);
  return sorted(std::move(rows));
}

std::vector<Row> Profiler::by_layer() const {
  const std::lock_guard lock(recorder_->mutex);
  std::vector<Row> rows;
  for (const auto& [key, row] : recorder_->layers) rows.push_back(row);
  return sorted(std::move(rows));
}

std::string Profiler::table(std::size_t rows) const {
  return table_of(key_averages(), rows, seconds(), "operation", true);
}

std::string Profiler::layer_table(std::size_t rows) const {
  return table_of(by_layer(), rows, seconds(), "layer", true);
}

std::vector<Profiler::Event> Profiler::events() const {
  const std::lock_guard lock(recorder_->mutex);
  return recorder_->events;
}

std::int64_t Profiler::dropped_events() const {
  const std::lock_guard lock(recorder_->mutex);
  return recorder_->dropped;
}

}  // namespace gradus
