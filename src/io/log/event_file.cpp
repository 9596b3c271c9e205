#include "io/log/event_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "io/value/utf8.h"

namespace gradus::io {

namespace {

constexpr int kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5;

template <class T>
std::string little_endian(T value) {
  std::string bytes(sizeof value, '\0');
  for (std::size_t i = 0; i < sizeof value; ++i) bytes[i] = static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

constexpr auto kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78U : crc >> 1;
    table[i] = crc;
  }
  return table;
}();

// So that a checksum over data which holds checksums stays good.
std::uint32_t masked(std::uint32_t crc) { return std::rotr(crc, 15) + 0xa282ead8U; }

// The upper limits of the buckets, from -1e20 over 0 to 1e20.
const std::vector<double>& bucket_limits() {
  static const std::vector<double> limits = [] {
    std::vector<double> positive;
    for (double v = 1e-12; v < 1e20; v *= 1.1) positive.push_back(v);
    std::vector<double> all;
    for (auto it = positive.rbegin(); it != positive.rend(); ++it) all.push_back(-*it);
    all.push_back(0);
    all.insert(all.end(), positive.begin(), positive.end());
    return all;
  }();
  return limits;
}

Message tagged(const std::string& tag) { return Message().bytes(1, as_utf8(tag)); }

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffU;
  for (const char c : bytes) crc = kCrcTable[(crc ^ static_cast<std::uint8_t>(c)) & 0xff] ^ crc >> 8;
  return ~crc;
}

void Message::varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) text_ += static_cast<char>((value & 0x7f) | 0x80);
  text_ += static_cast<char>(value);
}

template <class T>
void Message::fixed(T value) {
  text_ += little_endian(value);
}

Message& Message::integer(int field, std::int64_t value) {
  if (value == 0) return *this;
  key(field, kVarint);
  varint(static_cast<std::uint64_t>(value));
  return *this;
}

Message& Message::real(int field, double value) {
  if (std::bit_cast<std::uint64_t>(value) == 0) return *this;
  key(field, kFixed64);
  fixed(std::bit_cast<std::uint64_t>(value));
  return *this;
}

Message& Message::set_single(int field, float value) {
  key(field, kFixed32);
  fixed(std::bit_cast<std::uint32_t>(value));
  return *this;
}

Message& Message::bytes(int field, std::string_view value) { return value.empty() ? *this : set_bytes(field, value); }

Message& Message::set_bytes(int field, std::string_view value) {
  key(field, kLength);
  varint(value.size());
  text_ += value;
  return *this;
}

Message& Message::reals(int field, const std::vector<double>& values) {
  std::string packed;
  for (const double value : values) packed += little_endian(std::bit_cast<std::uint64_t>(value));
  return bytes(field, packed);
}

Message scalar_summary(const std::string& tag, float value) {
  return Message().message(1, tagged(tag).set_single(2, value));
}

Message image_summary(const std::string& tag, std::int64_t height, std::int64_t width, std::int64_t channels,
                      std::string_view png) {
  const Message image = Message().integer(1, height).integer(2, width).integer(3, channels).bytes(4, png);
  return Message().message(1, tagged(tag).message(4, image));
}

// As torch.utils.tensorboard: from the bucket before the first that is not empty to the last that is not, by their
// upper limits. Values beyond the last limit are counted in the last bucket.
Message histogram_summary(const std::string& tag, const std::vector<double>& values) {
  const auto& limits = bucket_limits();
  std::vector<double> counts(limits.size() - 1);
  double sum = 0, squares = 0;
  for (const double value : values) {
    const auto above = std::upper_bound(limits.begin(), limits.end(), value) - limits.begin();
    ++counts[static_cast<std::size_t>(
        std::clamp<std::ptrdiff_t>(above - 1, 0, static_cast<std::ptrdiff_t>(counts.size()) - 1))];
    sum += value;
    squares += value * value;
  }
  const auto filled = [](double count) { return count > 0; };
  const auto first = std::find_if(counts.begin(), counts.end(), filled) - counts.begin();
  const auto last = counts.rend() - std::find_if(counts.rbegin(), counts.rend(), filled) - 1;
  std::vector<double> bucket{0}, limit;
  bucket.insert(bucket.end(), counts.begin() + first, counts.begin() + last + 1);
  limit.assign(limits.begin() + first, limits.begin() + last + 2);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const Message histogram = Message()
                                .real(1, *low)
                                .real(2, *high)
                                .real(3, static_cast<double>(values.size()))
                                .real(4, sum)
                                .real(5, squares)
                                .reals(6, limit)
                                .reals(7, bucket);
  return Message().message(1, tagged(tag).message(5, histogram));
}

Message text_summary(const std::string& tag, const std::string& text) {
  const Message plugin = Message().bytes(1, "text");
  const Message metadata = Message().message(1, plugin);
  constexpr int kString = 7;
  const Message shape = Message().message(2, Message().integer(1, 1));
  const Message tensor = Message().integer(1, kString).message(2, shape).set_bytes(8, as_utf8(text));
  return Message().message(1, tagged(tag + "/text_summary").message(8, tensor).message(9, metadata));
}

Message version_event(double wall_time) { return Message().real(1, wall_time).set_bytes(3, "brain.Event:2"); }

Message summary_event(double wall_time, std::int64_t step, const Message& summary) {
  return Message().real(1, wall_time).integer(2, step).message(5, summary);
}

Message session_start_event(double wall_time, std::int64_t step) {
  constexpr int kStart = 1;
  return Message().real(1, wall_time).integer(2, step).message(7, Message().integer(1, kStart));
}

std::string event_record(const Message& event) {
  const std::string length = little_endian(static_cast<std::uint64_t>(event.text().size()));
  return length + little_endian(masked(crc32c(length))) + event.text() + little_endian(masked(crc32c(event.text())));
}

}  // namespace gradus::io
