// Groups by name pattern.
//
//   optim::SGD opt(optim::groups<optim::SGD>(net, {{"features.*", {.lr = 1e-5}}, {"classifier.*", {.lr = 1e-2}}}),
//                  {.momentum = 0.9});
#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus::optim {

// What becomes of parameters that no pattern matches.
enum class Unmatched {
  error,  // ValueError that names them
  group,  // one last group with the optimizer's defaults
  leave,  // they are not trained
};

namespace detail {
// For each pattern the parameters whose first match it is, and last those without a match. ValueError where a pattern
// has none, or as `unmatched` says.
std::vector<Params> split_by_pattern(const Params& params, const std::vector<std::string>& patterns,
                                     Unmatched unmatched);
}  // namespace detail

// One group per pattern (see gradus/core/pattern.h), in their order; a parameter belongs to the first that matches.
// Groups without a name take the pattern's. `params` is a module, its named_parameters(), or a filter of them.
template <class O>
std::vector<typename O::GroupOptions> groups(
    const Params& params, const std::vector<std::pair<std::string, typename O::GroupOptions>>& patterns,
    Unmatched unmatched = Unmatched::error) {
  std::vector<std::string> names;
  for (const auto& [pattern, options] : patterns) {
    if (!options.params.empty())
      throw ValueError("groups: the options of '" + pattern + "' must not hold params; the pattern chooses them");
    names.push_back(pattern);
  }
  const std::vector<Params> parts = detail::split_by_pattern(params, names, unmatched);
  std::vector<typename O::GroupOptions> result;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    result.push_back(patterns[i].second);
    result.back().params = parts[i];
    if (result.back().name.empty()) result.back().name = patterns[i].first;
  }
  if (unmatched == Unmatched::group && !parts.back().empty()) {
    result.emplace_back();
    result.back().params = parts.back();
  }
  return result;
}

}  // namespace gradus::optim
