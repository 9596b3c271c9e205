#include "cli/run/weights.h"

#include <fmt/ranges.h>
#include <gradus/core/error.h>

#include <algorithm>
#include <set>

#include "cli/run/output.h"
#include "io/checkpoint/find_state_dict.h"
#include "io/value/find_path.h"

namespace gradus::cli {

namespace {

io::FoundStateDict find(const nn::Module& net, const Weights& weights) {
  const io::LoadedFile file = io::read_path(weights.file, load_options(weights.memory));
  const nn::StateDict own = net.state_dict();
  return io::find_state_dict(file, weights.file,
                             {.call = "--weights",
                              .at_word = "--at",
                              .rename_word = "--rename",
                              .at = io::find_path("--at", file.value, weights.at),
                              .rename = parse_renames(weights.rename),
                              .load = load_options(weights.memory),
                              .fit = &own});
}

// What loaded and what did not, a line each, with the first names.
void print_report(const std::string& file, const nn::LoadReport& report) {
  constexpr std::size_t kShown = 4;
  const auto line = [&](const char* what, const std::vector<std::string>& names) {
    if (names.empty()) return;
    const std::vector<std::string> first(names.begin(),
                                         names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kShown)));
    say("  {} {}: {}{}\n", names.size(), what, fmt::join(first, ", "), names.size() > kShown ? ", ..." : "");
  };
  say("{}: {} tensors loaded\n", file, report.loaded.size());
  line("of other sizes, left as they are", report.mismatched);
  line("not in the file, left as they are", report.missing);
  line("only in the file, left out", report.unexpected);
}

std::size_t common_end(std::string_view a, std::string_view b) {
  std::size_t count = 0;
  while (count < std::min(a.size(), b.size()) && a[a.size() - 1 - count] == b[b.size() - 1 - count]) ++count;
  return count;
}

// Why the first of the tensors that are not under `head` did not fit.
std::string nearest_reason(const nn::Module& net, const nn::StateDict& dict, const nn::LoadReport& report,
                           const std::string& head) {
  const auto in_head = [&](const std::string& name) { return !head.empty() && name.starts_with(head + "."); };
  for (const std::string& name : report.missing) {
    if (in_head(name)) continue;
    const nn::StateDict own = net.state_dict();
    const Shape& sizes = own.at(name).sizes();
    std::string nearest;
    for (const auto& [other, tensor] : dict)
      if (tensor.sizes() == sizes && (nearest.empty() || common_end(name, other) > common_end(name, nearest)))
        nearest = other;
    return nearest.empty()
               ? fmt::format("'{}' {} is not in it, and no tensor of these sizes", name, to_string(sizes))
               : fmt::format("'{}' is not in it; of these sizes it has '{}' (--rename changes names)", name, nearest);
  }
  for (const std::string& line : report.mismatched)
    if (!in_head(line)) return line;
  return "the names agree";
}

}  // namespace

io::LoadOptions load_options(std::int64_t memory) {
  io::LoadOptions options;
  if (memory > 0) options.memory = static_cast<std::uint64_t>(memory) << 20;
  return options;
}

std::vector<io::Rename> parse_renames(const std::vector<std::string>& texts) {
  std::vector<io::Rename> rules;
  for (const std::string& text : texts) {
    // A regular expression ends with the slash before the sign.
    const std::size_t slash = text.starts_with('/') ? text.find("/=", 1) : text.npos;
    const std::size_t sign = slash == text.npos ? text.find('=') : slash + 1;
    if (sign == text.npos || sign == 0) {
      throw ValueError("--rename: need PATTERN=REPLACEMENT, as in 'module.*=*' or '/^module\\./=', got '" + text + "'");
    }
    rules.push_back({text.substr(0, sign), text.substr(sign + 1)});
  }
  return rules;
}

nn::LoadReport load_weights(nn::Module& net, const Weights& weights, const std::string& head, bool partial) {
  const io::FoundStateDict found = find(net, weights);
  const std::string file = weights.file + found.place;
  nn::LoadOptions options{.strict = false, .skip_mismatched = true, .check_only = true};
  const nn::LoadReport report = net.load_state_dict(found.dict, options);
  const auto in_head = [&](const std::string& name) { return name.starts_with(head + "."); };
  const auto outside = static_cast<std::size_t>(
      std::count_if(report.loaded.begin(), report.loaded.end(), [&](const auto& name) { return !in_head(name); }));
  std::size_t all = outside;
  for (const auto* names : {&report.missing, &report.mismatched})
    all += static_cast<std::size_t>(
        std::count_if(names->begin(), names->end(), [&](const auto& name) { return !in_head(name); }));
  if (report.loaded.empty())
    throw ValueError(
        fmt::format("--weights: no tensor of {} fits: {}", file, nearest_reason(net, found.dict, report, head)));
  if (!head.empty() && 2 * outside < all && !partial)
    throw ValueError(
        fmt::format("--weights: of the {} tensors before '{}' only {} fit {}: {}; --partial continues, with random "
                    "numbers in the rest",
                    all, head, outside, file, nearest_reason(net, found.dict, report, head)));
  options.check_only = false;
  net.load_state_dict(found.dict, options);
  print_report(file, report);
  return report;
}

void load_all_weights(nn::Module& net, const Weights& weights) {
  const io::FoundStateDict found = find(net, weights);
  net.load_state_dict(found.dict);
}

void check_frozen(const nn::Module& net, const nn::LoadReport& report, const std::string& file) {
  const std::set<std::string> loaded(report.loaded.begin(), report.loaded.end());
  std::vector<std::string> random;
  for (const auto& [name, p] : net.named_parameters())
    if (!p.requires_grad() && !loaded.contains(name)) random.push_back(name);
  if (random.empty()) return;
  throw ValueError(
      fmt::format("--freeze: {} parameters that stay as they are would be random numbers, as they are not "
                  "in {}: {}{}; --partial continues anyway",
                  random.size(), file, random[0], random.size() > 1 ? ", ..." : ""));
}

}  // namespace gradus::cli
