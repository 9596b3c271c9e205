#include "io/log/jsonl.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <nlohmann/json.hpp>

#include "gradus/core/error.h"
#include "io/file/atomic_file.h"

namespace gradus::io {

namespace {

void take_out(nlohmann::ordered_json& value, const std::string& path, nlohmann::ordered_json& found) {
  if (value.is_number_float() && !std::isfinite(value.get<double>())) {
    const double number = value.get<double>();
    found[path] = std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf";
    value = nullptr;
  }
  if (!value.is_structured()) return;
  for (const auto& [key, child] : value.items()) take_out(child, path.empty() ? key : path + "." + key, found);
}

}  // namespace

nlohmann::ordered_json finite(const nlohmann::ordered_json& record) {
  nlohmann::ordered_json result = record, found = nlohmann::ordered_json::object();
  take_out(result, "", found);
  if (result.is_object() && !found.empty()) result["nonfinite"] = found;
  return result;
}

// Bytes that are not UTF-8 (file names) must not throw.
std::string to_text(const nlohmann::ordered_json& value, int indent) {
  return finite(value).dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

JsonlWriter::JsonlWriter(const std::string& path, Existing existing) : path_(path) {
  const int truncate = existing == Existing::kReplace ? O_TRUNC : 0;
  file_.reset(open_file(path, O_RDWR | O_CREAT | O_APPEND | truncate));
  if (!file_) throw_io_error("open", "write", path_, errno);
  if (existing == Existing::kContinue) drop_incomplete_line();
}

JsonlWriter::JsonlWriter(const std::string& path, std::int64_t size) : path_(path) {
  file_.reset(open_file(path, O_RDWR | O_APPEND));
  if (!file_) throw_io_error("open", "continue", path_, errno);
  if (const std::int64_t found = this->size(); size < 0 || found < size) {
    throw IoError("open: cannot continue " + path_ + ": need its first " + std::to_string(size) + " bytes, it has " +
                  std::to_string(found));
  }
  if (::ftruncate(file_.get(), size) != 0) throw_io_error("ftruncate", "continue", path_, errno);
}

std::int64_t JsonlWriter::size() const {
  const off_t end = ::lseek(file_.get(), 0, SEEK_END);
  if (end < 0) throw_io_error("lseek", "write", path_, errno);
  return end;
}

void JsonlWriter::sync() const {
  if (const int error = sync_file(file_.get())) throw_io_error("fsync", "write", path_, error);
}

void JsonlWriter::drop_incomplete_line() {
  off_t end = ::lseek(file_.get(), 0, SEEK_END);
  if (end < 0) throw_io_error("lseek", "continue", path_, errno);
  const off_t size = end;
  char block[4096];
  while (end > 0) {
    const off_t start = end > off_t{sizeof block} ? end - off_t{sizeof block} : 0;
    const ssize_t got = ::pread(file_.get(), block, static_cast<std::size_t>(end - start), start);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_io_error("read", "continue", path_, errno);
    const std::string_view seen(block, static_cast<std::size_t>(got));
    const std::size_t newline = seen.rfind('\n');
    end = newline == seen.npos ? start : start + static_cast<off_t>(newline) + 1;
    if (newline != seen.npos) break;
  }
  if (end < size && ::ftruncate(file_.get(), end) != 0) throw_io_error("ftruncate", "continue", path_, errno);
}

void JsonlWriter::write(const nlohmann::ordered_json& record) {
  const std::string line = to_text(record, -1);
  const off_t before = ::lseek(file_.get(), 0, SEEK_END);
  const int error = write_all(file_.get(), line);
  if (error == 0) return;
  // Whether or not this helps, the write's error is the one to report.
  if (before >= 0) [[maybe_unused]]
    const int restored = ::ftruncate(file_.get(), before);
  throw_io_error("write", "write", path_, error);
}

void write_json_file(const std::string& path, const nlohmann::ordered_json& value) {
  write_file(path, to_text(value, 2));
}

}  // namespace gradus::io
