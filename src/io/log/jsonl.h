// Records of a run: metrics.jsonl, one JSON object a line, and whole JSON files.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "io/file/posix.h"

namespace gradus::io {

// JSON has no NaN and no infinity. In their place stands null, and an object says in "nonfinite" what they were, by
// their paths: {"loss": null, "nonfinite": {"loss": "nan"}}, or "losses.d_loss": "-inf" within another.
nlohmann::ordered_json finite(const nlohmann::ordered_json& record);
// With a newline at the end. The value is made finite(); bytes that are not UTF-8 become U+FFFD.
std::string to_text(const nlohmann::ordered_json& value, int indent = -1);

// Appends one line per record, each with a single write to the end of the file: what was written survives the end of
// the process, and a reader beside it sees whole lines. Keys keep their order; the record is made finite().
class JsonlWriter {
 public:
  enum class Existing {
    kReplace,   // start the file anew
    kContinue,  // add to it, after dropping a last line that a crash left incomplete
  };

  // IoError if the file cannot be opened.
  JsonlWriter(const std::string& path, Existing existing);
  // Goes on after the file's first `size` bytes, and drops the rest. IoError if it has fewer.
  JsonlWriter(const std::string& path, std::int64_t size);

  // IoError if the line cannot be written; a part of it is then taken back.
  void write(const nlohmann::ordered_json& record);

  std::int64_t size() const;  // in bytes
  // Until all lines are on the disk. May be called by another thread than write.
  void sync() const;

 private:
  void drop_incomplete_line();

  std::string path_;
  Fd file_;
};

// Writes the value, made finite(), indented, as a whole file (AtomicFile).
void write_json_file(const std::string& path, const nlohmann::ordered_json& value);

}  // namespace gradus::io
