#include "cli/commands/ckpt/verify.h"

#include <fmt/format.h>
#include <gradus/core/error.h>
#include <gradus/io/load.h>
#include <gradus/training/receipt.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>

#include "cli/commands/ckpt/ckpt_leaves.h"

namespace gradus::cli {

namespace {

using Tensors = std::map<std::string, Tensor>;

// A network of the receipt, and where in the file its tensors seem to be.
struct Match {
  std::string network, prefix;
  std::int64_t names = 0, sizes = 0,
               of = 0;  // tensors with its names, those of the same sizes too, and how many it has
  bool ambiguous = false;
};

std::string own_name(const training::ReceiptRow& row, const std::string& network) {
  return network.empty() ? row.name : row.name.substr(network.size() + 1);
}

bool belongs(const training::ReceiptRow& row, const std::string& network) {
  return network.empty() || row.name.starts_with(network + ".");
}

// Whether a place in a file is called as the network is: "networks.net.", or "" of net.pth.
bool is_called(const std::string& prefix, const std::string& network, const std::string& stem) {
  if (prefix.empty()) return stem == network;
  return prefix == network + "." || prefix.ends_with("." + network + ".");
}

Match find(const training::ReceiptReport& receipt, const std::string& network, const Tensors& tensors,
           const std::string& stem) {
  std::map<std::string, Match> places;
  Match best{network, "", 0, 0, 0, false};
  for (const auto& row : receipt.rows) {
    if (!belongs(row, network)) continue;
    ++best.of;
    const std::string name = own_name(row, network);
    for (const auto& [full, tensor] : tensors) {
      const std::string prefix = full.substr(0, full.size() - std::min(full.size(), name.size()));
      if (!full.ends_with(name) || (!prefix.empty() && prefix.back() != '.')) continue;
      Match& place = places[prefix];
      place.prefix = prefix;
      ++place.names;
      if (std::equal(tensor.sizes().begin(), tensor.sizes().end(), row.sizes.begin(), row.sizes.end())) ++place.sizes;
    }
  }
  const std::int64_t of = best.of;
  const auto rank = [&](const Match& m) {
    return std::tuple(m.names + m.sizes, is_called(m.prefix, network, stem) ? 1 : 0);
  };
  for (const auto& [prefix, place] : places) {
    if (best.names == 0 || rank(place) > rank(best)) {
      best = place;
    } else if (rank(place) == rank(best)) {
      best.ambiguous = true;
    }
  }
  best.network = network;
  best.of = of;
  return best;
}

std::string called(const Match& match) { return match.network.empty() ? "the network" : match.network; }

// Which of the networks the file holds: two that claim one place have names alike, and the better one has it.
std::vector<Match> matches_of(const training::ReceiptReport& receipt, const Tensors& tensors,
                              const VerifyOptions& options) {
  const std::string stem = std::filesystem::path(options.checkpoint).stem().string();
  std::vector<Match> all;
  for (const std::string& network : receipt.networks) {
    if (!options.network.empty() && network != options.network) continue;
    const Match match = find(receipt, network, tensors, stem);
    // Names such as "weight" are everywhere: of several networks those count whose place or whose sizes say so.
    const bool asked = !options.network.empty() || receipt.networks.size() == 1;
    const bool surely = is_called(match.prefix, network, stem) || (match.sizes == match.of && !match.ambiguous);
    if (match.names == 0 || (!asked && !surely)) continue;
    const auto rival = std::find_if(all.begin(), all.end(), [&](const Match& m) { return m.prefix == match.prefix; });
    if (rival == all.end()) {
      all.push_back(match);
      continue;
    }
    const auto fit = [&](const Match& m) {
      return std::tuple(static_cast<double>(m.names + m.sizes) / static_cast<double>(2 * m.of),
                        is_called(m.prefix, m.network, stem) ? 1 : 0, m.of);
    };
    if (fit(match) == fit(*rival))
      throw ValueError(fmt::format("verify: '{}' may be {} or {}: say which with --network", options.checkpoint,
                                   called(*rival), called(match)));
    if (fit(match) > fit(*rival)) *rival = match;
  }
  for (const Match& match : all)
    if (match.ambiguous)
      throw ValueError(
          fmt::format("verify: '{}' has several places that could be {}, such as '{}': say which with --at",
                      options.checkpoint, called(match), match.prefix));
  return all;
}

}  // namespace

int verify_receipt(const VerifyOptions& options) {
  const training::ReceiptReport receipt = training::read_receipt(options.receipt);
  if (!options.network.empty()) static_cast<void>(training::verify(receipt, {}, options.network));
  io::LoadOptions load;
  if (options.memory > 0) load.memory = static_cast<std::uint64_t>(options.memory) << 20;
  Tensors tensors;
  const std::string below = options.at.empty() ? "" : options.at + ".";
  for (const Leaf& leaf : leaves_of(io::load(options.checkpoint, load)))
    if (leaf.value.is(io::Value::Kind::Tensor) && leaf.name.starts_with(below))
      tensors.emplace(leaf.name.substr(below.size()), leaf.value.as_tensor());
  const std::vector<Match> matches = matches_of(receipt, tensors, options);
  if (matches.empty())
    throw ValueError(fmt::format(
        "verify: nothing in '{}'{} has the names of the receipt, such as {}: it is of another run", options.checkpoint,
        options.at.empty() ? "" : " at " + options.at, receipt.rows.empty() ? "none" : receipt.rows[0].name));
  bool holds = true;
  for (const Match& match : matches) {
    nn::StateDict dict;
    for (const auto& row : receipt.rows) {
      if (!belongs(row, match.network)) continue;
      const std::string name = own_name(row, match.network);
      if (const auto found = tensors.find(match.prefix + name); found != tensors.end()) dict.set(name, found->second);
    }
    const training::ReceiptVerdict verdict = training::verify(receipt, dict, match.network);
    if (matches.size() > 1 || !match.network.empty()) fmt::print("{}:\n", called(match));
    fmt::print("{}", verdict.to_string());
    holds = holds && (options.frozen_only ? verdict.frozen_unchanged() && verdict.missing.empty() &&
                                                verdict.unlike.empty() && verdict.trespasses.empty()
                                          : verdict.holds());
  }
  if (receipt.separate() && receipt.optimizers.size() > 1)
    fmt::print("no optimizer moved what another owns, in {} steps of {}\n", receipt.steps, receipt.optimizers.size());
  if (!receipt.broken.empty()) {
    fmt::print("resumed with other bits than it had stopped with: {}\n", fmt::join(receipt.broken, ", "));
    holds = false;
  }
  return holds ? 0 : 1;
}

}  // namespace gradus::cli
