#include "cli/shell/command_tree.h"

#include <algorithm>
#include <utility>

namespace gradus::cli {

namespace {

OptionEntry entry_of(const CLI::Option& option) {
  OptionEntry entry{};
  entry.positional = option.get_positional();
  entry.required = option.get_required();
  entry.repeats = option.get_expected_max() > 1;
  entry.description = option.get_description();
  entry.default_value = option.get_default_str();
  if (option.get_items_expected_max() > 0) {
    entry.value = option.get_type_name();
    entry.value.erase(std::min(entry.value.find_first_of(": "), entry.value.size()));
    if (entry.value.empty()) entry.value = "VALUE";
  }
  if (entry.positional) {
    entry.name = option.get_name(true);
    return entry;
  }
  const auto &longer = option.get_lnames(), &shorter = option.get_snames();
  if (!longer.empty()) entry.name = "--" + longer.front();
  if (!shorter.empty()) (entry.name.empty() ? entry.name : entry.also) = "-" + shorter.front();
  return entry;
}

void collect(const CLI::App& app, const std::string& path, std::vector<CommandEntry>& all) {
  CommandEntry entry{path, app.get_name(), app.get_description(), {}, {}};
  for (const CLI::Option* option : app.get_options()) entry.options.push_back(entry_of(*option));
  all.push_back(std::move(entry));
  for (const CLI::App* child : app.get_subcommands([](const CLI::App* sub) { return !sub->get_group().empty(); }))
    collect(*child, path.empty() ? child->get_name() : path + " " + child->get_name(), all);
}

}  // namespace

std::vector<CommandEntry> command_tree(const CLI::App& app) {
  std::vector<CommandEntry> all;
  collect(app, "", all);
  for (CommandEntry& parent : all) {
    for (const CommandEntry& child : all) {
      const std::string prefix = parent.path.empty() ? "" : parent.path + " ";
      if (&child != &parent && child.path == prefix + child.name) parent.children.push_back(&child);
    }
  }
  return all;
}

}  // namespace gradus::cli
