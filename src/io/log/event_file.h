// The format of TensorBoard's event files: records with checksums around protocol buffers (TensorFlow's event.proto and
// summary.proto), of which these are all the fields that we write.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gradus::io {

// One protocol buffer message, field after field. Fields that have their default are left out, as proto3 does.
class Message {
 public:
  Message& integer(int field, std::int64_t value);
  Message& real(int field, double value);   // double
  Message& single(int field, float value);  // float
  Message& bytes(int field, std::string_view value);
  Message& reals(int field, const std::vector<double>& values);  // packed
  // Also where it is the default: members of a oneof, messages, elements of lists.
  Message& set_single(int field, float value);
  Message& set_bytes(int field, std::string_view value);
  Message& message(int field, const Message& value) { return set_bytes(field, value.text_); }

  const std::string& text() const { return text_; }

 private:
  void varint(std::uint64_t value);
  void key(int field, int type) { varint(static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(type)); }
  template <class T>
  void fixed(T value);
  std::string text_;
};

// What an event says, before its time and step are put around it.
Message scalar_summary(const std::string& tag, float value);
Message image_summary(const std::string& tag, std::int64_t height, std::int64_t width, std::int64_t channels,
                      std::string_view png);
Message histogram_summary(const std::string& tag, const std::vector<double>& values);
Message text_summary(const std::string& tag, const std::string& text);

// Events.
Message version_event(double wall_time);
Message summary_event(double wall_time, std::int64_t step, const Message& summary);
Message session_start_event(double wall_time, std::int64_t step);  // what came before from this step on is dropped

// A record: length, data, and masked CRC-32C of both.
std::string event_record(const Message& event);

std::uint32_t crc32c(std::string_view bytes);

}  // namespace gradus::io
