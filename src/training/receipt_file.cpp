// Receipts as text, as files, and against a checkpoint.
#include <fmt/format.h>
#include <gradus/core/error.h>
#include <gradus/core/version.h>
#include <gradus/training/receipt.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "io/file/atomic_file.h"
#include "io/file/posix.h"
#include "io/file/sha256.h"
#include "text/json_file.h"
#include "text/table.h"
#include "training/receipt_hash.h"

namespace gradus::training {

namespace {

using nlohmann::ordered_json;
using Names = std::vector<std::string>;

constexpr const char* kFormat = "gradus receipt";
constexpr std::int64_t kVersion = 1;

// Names may have bytes that are not UTF-8; numbers that are not finite become null.
std::string dump(const ordered_json& json, int indent) {
  return json.dump(indent, ' ', false, ordered_json::error_handler_t::replace);
}

ordered_json number(double x) { return std::isfinite(x) ? ordered_json(x) : ordered_json(); }
double to_number(const ordered_json& json) { return json.is_null() ? std::nan("") : json.get<double>(); }

ordered_json row_json(const ReceiptRow& row) {
  ordered_json json{{"name", row.name},     {"kind", row.buffer ? "buffer" : "parameter"},
                    {"dtype", row.dtype},   {"sizes", row.sizes},
                    {"before", row.before}, {"after", row.after},
                    {"frozen", row.frozen}, {"changed_elsewhere", row.changed_elsewhere}};
  json["owners"] = ordered_json::array();
  for (const auto& o : row.owners)
    json["owners"].push_back({{"optimizer", o.optimizer},
                              {"steps", o.steps},
                              {"first_rate", number(o.first_rate)},
                              {"last_rate", number(o.last_rate)},
                              {"lowest_rate", number(o.lowest_rate)},
                              {"highest_rate", number(o.highest_rate)}});
  json["phases"] = ordered_json::array();
  for (const auto& p : row.phases)
    json["phases"].push_back({{"phase", p.phase}, {"hash", p.hash}, {"trainable_steps", p.trainable_steps}});
  return json;
}

ReceiptRow to_row(const ordered_json& json) {
  ReceiptRow row;
  json.at("name").get_to(row.name);
  row.buffer = json.at("kind").get<std::string>() == "buffer";
  json.at("dtype").get_to(row.dtype);
  json.at("sizes").get_to(row.sizes);
  json.at("before").get_to(row.before);
  json.at("after").get_to(row.after);
  json.at("frozen").get_to(row.frozen);
  json.at("changed_elsewhere").get_to(row.changed_elsewhere);
  for (const auto& o : json.at("owners"))
    row.owners.push_back({o.at("optimizer").get<std::string>(), o.at("steps").get<std::int64_t>(),
                          to_number(o.at("first_rate")), to_number(o.at("last_rate")), to_number(o.at("lowest_rate")),
                          to_number(o.at("highest_rate"))});
  for (const auto& p : json.at("phases"))
    row.phases.push_back({p.at("phase").get<std::string>(), p.at("hash").get<std::string>(),
                          p.at("trainable_steps").get<std::int64_t>()});
  return row;
}

std::string count(std::int64_t n, const char* what) { return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s"); }

// The first few, and how many more.
std::string some_of(const Names& names) {
  constexpr std::size_t kFew = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kFew); ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kFew) text += fmt::format(" and {} more", names.size() - kFew);
  return text;
}

std::string sizes_text(const std::vector<std::int64_t>& sizes) {
  std::string text = "[";
  for (std::size_t i = 0; i < sizes.size(); ++i) text += fmt::format("{}{}", i == 0 ? "" : ", ", sizes[i]);
  return text + "]";
}

Names trespasses_of(const ReceiptReport& report) {
  Names all;
  for (const ReceiptOptimizer& optimizer : report.optimizers)
    for (const std::string& name : optimizer.moved_of_others)
      all.push_back(optimizer.name + " moved " + name + ", which it does not own");
  return all;
}

}  // namespace

bool ReceiptReport::separate() const { return trespasses_of(*this).empty(); }

std::string ReceiptReport::to_string() const {
  Table table({{"parameter"}, {"sizes"}, {"bits"}, {"moved by"}, {"steps", true}, {"rates"}});
  for (const ReceiptRow& row : rows) {
    std::string owners, rates;
    std::int64_t moves = 0;
    for (const auto& o : row.owners) {
      owners += (owners.empty() ? "" : ", ") + o.optimizer;
      rates += fmt::format("{}{:.3g} to {:.3g}", rates.empty() ? "" : ", ", o.first_rate, o.last_rate);
      moves += o.steps;
    }
    const std::string bits = row.before == row.after ? "unchanged" : "changed";
    table.add({row.name + (row.buffer ? " (buffer)" : ""), sizes_text(row.sizes), row.frozen ? "frozen, " + bits : bits,
               owners.empty() ? "-" : owners, std::to_string(moves), rates.empty() ? "-" : rates});
  }
  std::string text = table.to_string();
  std::string history = count(steps, "step");
  if (!phases.empty() && !(phases.size() == 1 && phases[0].name.empty())) {
    for (std::size_t i = 0; i < phases.size(); ++i)
      history += fmt::format("{}{} {}", i == 0 ? ": " : ", ", phases[i].name, phases[i].steps);
  }
  if (resumed > 0) history += "; resumed " + count(resumed, "time");
  text += "\n" + history + "\n";
  const Names trespasses = trespasses_of(*this);
  for (const std::string& trespass : trespasses) text += trespass + "\n";
  if (trespasses.empty() && !optimizers.empty()) {
    text += "no optimizer moved what it does not own:";
    for (std::size_t i = 0; i < optimizers.size(); ++i)
      text += fmt::format("{} {} in {} (hashed around {})", i == 0 ? "" : ",", optimizers[i].name,
                          count(optimizers[i].steps, "step"), optimizers[i].hashed_steps);
    text += "\n";
  }
  if (!broken.empty()) text += "not the bits with which the run had stopped: " + some_of(broken) + "\n";
  return text;
}

std::string ReceiptReport::to_json() const {
  ordered_json json{{"format", kFormat},
                    {"version", kVersion},
                    {"made_by", std::string("gradus ") + gradus::version()},
                    {"hash", "sha256 of the row-major values"},
                    {"steps", steps},
                    {"resumed", resumed},
                    {"networks", networks},
                    {"broken", broken}};
  json["phases"] = ordered_json::array();
  for (const ReceiptPhase& phase : phases) json["phases"].push_back({{"name", phase.name}, {"steps", phase.steps}});
  json["optimizers"] = ordered_json::array();
  for (const ReceiptOptimizer& o : optimizers)
    json["optimizers"].push_back({{"name", o.name},
                                  {"type", o.type},
                                  {"steps", o.steps},
                                  {"skipped", o.skipped},
                                  {"hashed_steps", o.hashed_steps},
                                  {"moved_of_others", o.moved_of_others}});
  json["parameters"] = ordered_json::array();
  for (const ReceiptRow& row : rows) json["parameters"].push_back(row_json(row));
  json["checksum"] = io::sha256(dump(json, -1));
  return dump(json, 1) + "\n";
}

void ReceiptReport::save(const std::string& path) const { io::write_file(path, to_json()); }

ReceiptReport parse_receipt(const std::string& text, const std::string& file) {
  const auto refuse = [&](const std::string& why) { throw IoError(fmt::format("'{}' {}", file, why)); };
  ordered_json json;
  try {
    json = text::parse_json<ordered_json>(text);
  } catch (const ordered_json::exception&) {  // which leaves null: not ours
  }
  const bool ours = json.is_object() && json.contains("format") && json["format"] == kFormat;
  if (!ours) refuse("is not a receipt: `--receipt` of a training command writes one");
  if (!json.contains("version") || !json["version"].is_number_integer()) refuse("is damaged: it has no version");
  if (json["version"].get<std::int64_t>() != kVersion)
    refuse(fmt::format("is a receipt of format {}; this Gradus reads format {}", dump(json["version"], -1), kVersion));
  const ordered_json checksum = json.contains("checksum") ? json["checksum"] : ordered_json();
  json.erase("checksum");
  if (checksum != io::sha256(dump(json, -1)))
    refuse("is damaged, or was edited: its checksum is not that of what it says");
  ReceiptReport report;
  try {
    json.at("steps").get_to(report.steps);
    json.at("resumed").get_to(report.resumed);
    json.at("networks").get_to(report.networks);
    json.at("broken").get_to(report.broken);
    for (const auto& p : json.at("phases"))
      report.phases.push_back({p.at("name").get<std::string>(), p.at("steps").get<std::int64_t>()});
    for (const auto& o : json.at("optimizers"))
      report.optimizers.push_back({o.at("name").get<std::string>(), o.at("type").get<std::string>(),
                                   o.at("steps").get<std::int64_t>(), o.at("skipped").get<std::int64_t>(),
                                   o.at("hashed_steps").get<std::int64_t>(), o.at("moved_of_others").get<Names>()});
    for (const auto& row : json.at("parameters")) report.rows.push_back(to_row(row));
  } catch (const ordered_json::exception& e) {
    refuse(std::string("lacks what a receipt holds: ") + e.what());
  }
  return report;
}

ReceiptReport read_receipt(const std::string& path) { return parse_receipt(io::read_file(path), path); }

ReceiptVerdict verify(const ReceiptReport& receipt, const nn::StateDict& tensors, const std::string& network) {
  if (!network.empty() &&
      std::find(receipt.networks.begin(), receipt.networks.end(), network) == receipt.networks.end())
    throw ValueError("verify: the receipt has no network '" + network + "'" + did_you_mean(network, receipt.networks));
  ReceiptVerdict verdict;
  verdict.trespasses = trespasses_of(receipt);
  for (const ReceiptRow& row : receipt.rows) {
    std::string name = row.name;
    if (!network.empty()) {
      if (!name.starts_with(network + ".")) continue;
      name = name.substr(network.size() + 1);
    }
    const Tensor* found = tensors.find(name);
    if (found == nullptr || !found->defined()) {
      verdict.missing.push_back(row.name);
      continue;
    }
    const std::vector<std::int64_t> sizes(found->sizes().begin(), found->sizes().end());
    if (sizes != row.sizes || row.dtype != gradus::to_string(found->dtype())) {
      verdict.unlike.push_back(fmt::format("{} is {} {}, the receipt's is {} {}", row.name,
                                           gradus::to_string(found->dtype()), sizes_text(sizes), row.dtype,
                                           sizes_text(row.sizes)));
      continue;
    }
    const std::string now = tensor_hash(*found);
    if (row.frozen)
      (now == row.before && row.before == row.after ? verdict.frozen : verdict.frozen_changed).push_back(row.name);
    else
      (now == row.after ? verdict.trained : verdict.trained_differ).push_back(row.name);
  }
  return verdict;
}

bool ReceiptVerdict::holds() const {
  return frozen_changed.empty() && trained_differ.empty() && unlike.empty() && missing.empty() && trespasses.empty();
}

std::string ReceiptVerdict::to_string() const {
  std::string text;
  const auto line = [&](const std::string& what) { text += what + "\n"; };
  if (!frozen_changed.empty())
    line("frozen: changed: " + some_of(frozen_changed));
  else if (!frozen.empty())
    line("frozen: unchanged bits, " + count(std::ssize(frozen), "tensor"));
  else
    line("frozen: nothing was");
  if (!trained.empty()) line("trained: as the run left them, " + count(std::ssize(trained), "tensor"));
  if (!trained_differ.empty()) line("trained: not as the run left them: " + some_of(trained_differ));
  for (const std::string& one : unlike) line("unlike: " + one);
  if (!missing.empty()) line("missing: " + some_of(missing));
  for (const std::string& one : trespasses) line("trespass: " + one);
  return text;
}

}  // namespace gradus::training
