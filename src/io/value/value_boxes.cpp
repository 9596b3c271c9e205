#include "io/value/value_boxes.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>

namespace gradus::io {

namespace detail {

void Nest::take_in(const Value& value) {
  if (value.depth() + 1 > Value::kMaxDepth) {
    throw ValueError(fmt::format("value: nested more than {} deep", Value::kMaxDepth));
  }
  depth = std::max(depth, value.depth() + 1);
  if (__builtin_add_overflow(count, value.count(), &count)) count = std::numeric_limits<std::uint64_t>::max();
}

namespace {
std::size_t hash_of(const Key& key) {
  return key.is_int() ? std::hash<std::int64_t>{}(key.as_int()) * 0x9e3779b97f4a7c15u
                      : std::hash<std::string_view>{}(key.text());
}
}  // namespace

std::size_t Table::position(const Key& key) const {
  if (slots.empty()) {
    std::size_t i = 0;
    while (i < entries.size() && !(entries[i].first == key)) ++i;
    return i;
  }
  const std::size_t mask = slots.size() - 1;
  for (std::size_t at = hash_of(key) & mask; slots[at] != 0; at = (at + 1) & mask)
    if (entries[slots[at] - 1].first == key) return slots[at] - 1;
  return entries.size();
}

void Table::index(std::size_t position) {
  const std::size_t mask = slots.size() - 1;
  std::size_t at = hash_of(entries[position].first) & mask;
  while (slots[at] != 0) at = (at + 1) & mask;
  slots[at] = static_cast<std::uint32_t>(position + 1);
}

void Table::rebuild() {
  slots.clear();
  if (entries.size() <= kFew) return;
  slots.assign(std::bit_ceil(2 * entries.size()), 0);
  for (std::size_t i = 0; i < entries.size(); ++i) index(i);
}

const Value* Table::find(const Key& key) const {
  const std::size_t i = position(key);
  return i < entries.size() ? &entries[i].second : nullptr;
}

void Table::set(const Key& key, Value value) {
  take_in(value);
  if (!key.is_int() && !key.is_string()) take_in(key.value());
  const std::size_t i = position(key);
  if (i < entries.size()) {
    entries[i].second = std::move(value);
    return;
  }
  if (entries.size() >= std::numeric_limits<std::uint32_t>::max() / 4) throw ValueError("value: too many entries");
  entries.emplace_back(key, std::move(value));
  if (slots.size() < entries.size() + entries.size() / 2) {
    rebuild();
  } else {
    index(i);
  }
}

bool Table::erase(const Key& key) {
  const std::size_t i = position(key);
  if (i == entries.size()) return false;
  entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(i));
  rebuild();
  return true;
}

}  // namespace detail

}  // namespace gradus::io
