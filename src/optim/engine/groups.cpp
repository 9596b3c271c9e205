#include <gradus/core/pattern.h>
#include <gradus/optim/control/groups.h>

namespace gradus::optim::detail {

std::vector<Params> split_by_pattern(const Params& params, const std::vector<std::string>& patterns,
                                     Unmatched unmatched) {
  std::vector<std::vector<NamedTensor>> parts(patterns.size() + 1);
  std::vector<std::size_t> matched(patterns.size());
  for (const auto& [given, tensor] : params) {
    const std::string name = given.empty() && tensor.defined() ? tensor.name() : given;
    std::size_t first = patterns.size();
    for (std::size_t i = patterns.size(); i-- > 0;) {
      if (!matches(patterns[i], name)) continue;
      ++matched[i];
      first = i;
    }
    parts[first].emplace_back(name, tensor);
  }
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    if (!parts[i].empty()) continue;
    std::string message = "groups: the pattern '" + patterns[i] + "' matches ";
    if (matched[i] > 0) {
      message += "only parameters that an earlier pattern has taken";
    } else {
      message += "none of " + std::to_string(params.size()) + " parameters";
      if (!params.empty()) message += " ('" + params[0].first + "', ...)";
    }
    throw ValueError(message);
  }
  if (unmatched == Unmatched::error && !parts.back().empty()) {
    std::string message = "groups: no pattern matches";
    for (std::size_t i = 0; i < parts.back().size(); ++i)
      message.append(i > 0 ? ", '" : " '").append(parts.back()[i].first).append("'");
    throw ValueError(message + "; add a pattern, or pass Unmatched::group or Unmatched::leave");
  }
  return {parts.begin(), parts.end()};
}

}  // namespace gradus::optim::detail
