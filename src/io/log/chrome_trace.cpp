// A profile in the format of Chrome's tracing:
// https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
#include <gradus/profiler.h>

#include <fmt/format.h>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "io/file/atomic_file.h"

namespace gradus {

namespace {

std::string quoted(const char* text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

const char* category(Profiler::Kind kind) {
  constexpr const char* kNames[] = {"forward", "backward", "backward node", "layer", "span"};
  return kNames[static_cast<int>(kind)];
}

}  // namespace

void Profiler::export_chrome_trace(const std::string& path) const {
  std::string text = "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n";
  text += R"({"ph": "M", "name": "process_name", "pid": 1, "tid": 0, "args": {"name": "gradus"}})";
  std::set<int> threads;
  const auto out = std::back_inserter(text);
  for (const Event& event : events()) {
    threads.insert(event.thread);
    fmt::format_to(
        out,
        ",\n{{\"ph\": \"X\", \"name\": {}, \"cat\": \"{}\", \"pid\": 1, \"tid\": {}, \"ts\": {:.3f}, \"dur\": {:.3f}",
        quoted(event.name), category(event.kind), event.thread, static_cast<double>(event.start_ns) / 1000,
        static_cast<double>(event.duration_ns) / 1000);
    std::string args;
    const auto add = [&](const char* key, const std::string& value) {
      args += fmt::format("{}\"{}\": {}", args.empty() ? "" : ", ", key, value);
    };
    if (event.flops > 0) add("FLOPs", std::to_string(event.flops));
    if (event.bytes > 0) add("bytes", std::to_string(event.bytes));
    if (event.detail != nullptr) add(event.kind == Kind::layer ? "type" : "inputs", quoted(event.detail));
    text += args.empty() ? "}" : ", \"args\": {" + args + "}}";
  }
  for (const int thread : threads) {
    const std::string name = thread == 0 ? "main" : "thread " + std::to_string(thread);
    fmt::format_to(
        out, ",\n{{\"ph\": \"M\", \"name\": \"thread_name\", \"pid\": 1, \"tid\": {}, \"args\": {{\"name\": \"{}\"}}}}",
        thread, name);
  }
  text += "\n]}\n";
  io::write_file(path, text);
}

}  // namespace gradus
