#include "cli/run/metrics.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "io/file/posix.h"

namespace gradus::cli {

namespace {

// Counters, which are not curves.
bool is_counter(const std::string& key) {
  static const std::set<std::string> counters{"step", "epoch", "seconds", "time", "iteration"};
  return counters.count(key) != 0;
}

std::string last_word(const std::string& key) {
  const std::size_t cut = key.find_last_of("_./- ");
  return cut == key.npos || cut + 1 == key.size() ? key : key.substr(cut + 1);
}

// "loss/train", "accuracy/test": the group is the word before.
std::string family_of(const std::string& key) {
  const std::string word = last_word(key);
  static const std::set<std::string> parts{"train", "val", "valid", "validation", "test", "eval"};
  if (parts.count(word) == 0 || word == key) return word;
  return last_word(key.substr(0, key.size() - word.size() - 1));
}

}  // namespace

bool Metrics::read() {
  const io::Fd file(io::open_file(file_, O_RDONLY));
  if (!file) {
    if (errno == ENOENT) return false;
    io::throw_io_error("open", "read", file_, errno);
  }
  struct stat info {};
  if (::fstat(file.get(), &info) == 0 && info.st_size < offset_) *this = Metrics(file_, x_);
  std::string text;
  char block[1 << 16];
  for (std::int64_t at = offset_;;) {
    const ssize_t got = ::pread(file.get(), block, sizeof block, at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) io::throw_io_error("read", "read", file_, errno);
    if (got == 0) break;
    text.append(block, static_cast<std::size_t>(got));
    at += got;
  }
  bool any = false;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
    take(text.substr(begin, end - begin));
    any = true;
  }
  offset_ += static_cast<std::int64_t>(begin);
  return any;
}

void Metrics::take(const std::string& line) {
  const auto record = nlohmann::json::parse(line, nullptr, false);
  if (!record.is_object()) return;
  ++lines_;
  const auto phase = record.find("phase");
  const std::string now = phase != record.end() && phase->is_string() ? phase->get<std::string>() : "";
  const auto place = record.find(x_);
  if (place == record.end() || !place->is_number()) {
    phase_ = now;
    return;
  }
  double x = place->get<double>() + shift_;
  if (any_ && x <= last_ && x_ != "epoch") {
    if (now != phase_) {
      shift_ = last_;
      x = place->get<double>() + shift_;
    } else if (x < last_) {
      cut(x);
    }
  }
  phase_ = now;
  last_ = x;
  any_ = true;
  const auto nonfinite = record.find("nonfinite");
  const auto is_number = [&](const std::string& key) {
    return nonfinite != record.end() && nonfinite->is_object() && nonfinite->contains(key);
  };
  for (const auto& [key, value] : record.items()) {
    // Numbers that are not finite are null there; see io::finite.
    if (key == x_ || is_counter(key) || !(value.is_number() || value.is_null())) continue;
    auto found = curves_.find(key);
    if (found == curves_.end()) {
      if (value.is_null() && !is_number(key)) continue;
      keys_.push_back(key);
      found = curves_.emplace(key, Curve{}).first;
    }
    Curve& curve = found->second;
    const double y = value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
    if (x_ != "epoch" && !curve.x.empty() && curve.x.back() == x) {  // of one step the last counts
      curve.y.back() = y;
      continue;
    }
    curve.x.push_back(x);
    curve.y.push_back(y);
  }
}

void Metrics::cut(double x) {
  for (auto& [key, curve] : curves_) {
    const auto from = std::lower_bound(curve.x.begin(), curve.x.end(), x) - curve.x.begin();
    curve.x.resize(static_cast<std::size_t>(from));
    curve.y.resize(static_cast<std::size_t>(from));
  }
}

double Metrics::spacing() const {
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [key, curve] : curves_)
    if (curve.x.size() > 1 && curve.x.back() > curve.x.front())
      least = std::min(least, (curve.x.back() - curve.x.front()) / static_cast<double>(curve.x.size() - 1));
  return std::isfinite(least) ? least : 1;
}

std::vector<double> smoothed(const Curve& curve, double weight, double spacing) {
  std::vector<double> result;
  double sum = 0, total = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < curve.y.size(); ++i) {
    if (!std::isfinite(curve.y[i])) {
      result.push_back(curve.y[i]);
      continue;
    }
    const double past = std::pow(weight, i > 0 ? std::max((curve.x[i] - curve.x[last]) / spacing, 0.0) : 1.0);
    sum = sum * past + curve.y[i] * (1 - past);
    total = total * past + (1 - past);
    result.push_back(total > 0 ? sum / total : curve.y[i]);
    last = i;
  }
  return result;
}

Curve thinned(const Curve& curve, std::size_t most) {
  const std::size_t n = curve.x.size();
  if (n <= most || most < 4) return curve;
  Curve result;
  const std::size_t pieces = most / 2;
  for (std::size_t piece = 0; piece < pieces; ++piece) {
    const std::size_t begin = n * piece / pieces, end = n * (piece + 1) / pieces;
    std::size_t low = begin, high = begin;
    for (std::size_t i = begin; i < end; ++i) {
      if (!(curve.y[i] >= curve.y[low])) low = i;
      if (!(curve.y[i] <= curve.y[high])) high = i;
    }
    for (const std::size_t i : {std::min(low, high), std::max(low, high)}) {
      result.x.push_back(curve.x[i]);
      result.y.push_back(curve.y[i]);
    }
  }
  return result;
}

std::vector<std::vector<std::string>> families(const std::vector<std::string>& keys) {
  std::vector<std::pair<std::string, std::vector<std::string>>> found;
  for (const std::string& key : keys) {
    const std::string name = family_of(key);
    const auto at = std::find_if(found.begin(), found.end(), [&](const auto& family) { return family.first == name; });
    if (at == found.end()) {
      found.push_back({name, {key}});
    } else {
      at->second.push_back(key);
    }
  }
  std::stable_partition(found.begin(), found.end(), [](const auto& family) { return family.first != "lr"; });
  std::vector<std::vector<std::string>> result;
  for (auto& [name, members] : found) result.push_back(std::move(members));
  return result;
}

std::vector<std::string> short_names(const std::vector<std::string>& folders) {
  std::vector<std::vector<std::string>> parts;
  for (const std::string& folder : folders) {
    parts.emplace_back();
    std::error_code error;
    const auto whole = std::filesystem::absolute(folder, error).lexically_normal();
    for (const auto& part : error ? std::filesystem::path(folder) : whole)
      if (!part.empty() && part != "/") parts.back().push_back(part.string());
    if (parts.back().empty()) parts.back().push_back(folder);
  }
  std::vector<std::string> names;
  for (std::size_t depth = 1;; ++depth) {
    names.clear();
    bool longer = false;
    for (const auto& path : parts) {
      const std::size_t from = path.size() > depth ? path.size() - depth : 0;
      longer = longer || from > 0;
      std::string name;
      for (std::size_t i = from; i < path.size(); ++i) name += (name.empty() ? "" : "/") + path[i];
      names.push_back(name);
    }
    if (!longer || std::set<std::string>(names.begin(), names.end()).size() == names.size()) return names;
  }
}

}  // namespace gradus::cli
