#include "cli/shell/manual.h"

#include <fmt/format.h>
#include <gradus/core/error.h>
#include <gradus/core/version.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "cli/shell/command_tree.h"
#include "io/file/atomic_file.h"

namespace gradus::cli {

namespace {

// As text for roff: no line begins a request, hyphens can be copied.
std::string roff(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool first = i == 0 || text[i - 1] == '\n';
    if (first && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string page_name(const CommandEntry& command) {
  std::string name = command.path.empty() ? "gradus" : "gradus-" + command.path;
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

// With a small letter and no full stop, as NAME sections have it.
std::string in_short(const std::string& description) {
  std::string text = description.substr(0, description.find_first_of(":;\n."));
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])))
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

bool acts(const CommandEntry& command) { return command.children.empty(); }

std::string options_section(const CommandEntry& command) {
  std::string text;
  for (const OptionEntry& option : command.options) {
    text += ".TP\n";
    std::string names = "\\fB" + roff(option.name) + "\\fR";
    if (!option.also.empty()) names = "\\fB" + roff(option.also) + "\\fR, " + names;
    if (option.positional) names = "\\fI" + roff(option.name) + "\\fR" + (option.repeats ? " ..." : "");
    if (!option.positional && !option.value.empty()) names += " \\fI" + roff(option.value) + "\\fR";
    text += names + "\n" + roff(option.description);
    if (!option.default_value.empty()) text += "; " + roff(option.default_value) + " by default";
    text += ".\n";
  }
  return text;
}

std::string synopsis(const CommandEntry& command) {
  std::string text = ".B " + roff(command.path.empty() ? "gradus" : "gradus " + command.path) + "\n[\\fIOPTIONS\\fR]";
  for (const OptionEntry& option : command.options) {
    if (!option.positional) continue;
    const std::string name = "\\fI" + roff(option.name) + "\\fR" + (option.repeats ? "..." : "");
    text += option.required ? " " + name : " [" + name + "]";
  }
  return text + (acts(command) ? "\n" : " \\fICOMMAND\\fR ...\n");
}

}  // namespace

std::map<std::string, std::string> manual_pages(const CLI::App& app, const std::string& version) {
  const auto tree = command_tree(app);
  std::map<std::string, std::string> pages;
  for (const CommandEntry& command : tree) {
    if (!command.path.empty() && !acts(command)) continue;
    const std::string name = page_name(command);
    std::string text =
        fmt::format(".TH {} 1 \"\" \"Gradus {}\" \"Gradus\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n{}", roff(upper(name)),
                    roff(version), roff(name), roff(in_short(command.description)), synopsis(command));
    text += ".SH DESCRIPTION\n" + roff(command.description) + (command.description.ends_with('.') ? "\n" : ".\n");
    if (command.path.empty()) {
      text += ".SH COMMANDS\n";
      for (const CommandEntry& other : tree)
        if (!other.path.empty() && acts(other))
          text += ".TP\n\\fB" + roff("gradus " + other.path) + "\\fR\n" + roff(other.description) + ".\n";
    }
    text += ".SH OPTIONS\n" + options_section(command);
    text +=
        ".SH EXIT STATUS\n0 on success; 1 if \\fBckpt diff\\fR or \\fBverify\\fR found a difference; "
        "2 after an error, which is one line on standard error; 3 if training met a loss or a weight that "
        "is not finite; 130 if a signal ended the work early.\n";
    text += ".SH SEE ALSO\n";
    if (command.path.empty()) {
      std::string others;
      for (const CommandEntry& other : tree)
        if (!other.path.empty() && acts(other))
          others += (others.empty() ? "" : ",\n") + (".BR " + roff(page_name(other)) + " (1)");
      text += others + "\n";
    } else {
      text += ".BR gradus (1)\n";
    }
    pages[name + ".1"] = text;
  }
  return pages;
}

void add_manual(CLI::App& app, int& status) {
  CLI::App& manual = *app.add_subcommand("manual", "Write the manual pages into a folder");
  manual.group("");  // hidden
  const auto folder = std::make_shared<std::string>();
  manual.add_option("DIR", *folder, "The folder; created if it does not exist")->required();
  manual.callback([&app, folder, &status] {
    std::error_code error;
    std::filesystem::create_directories(*folder, error);
    if (error) throw IoError("manual: cannot make the folder '" + *folder + "': " + error.message());
    for (const auto& [name, text] : manual_pages(app, version())) io::write_file(*folder + "/" + name, text);
    status = 0;
  });
}

}  // namespace gradus::cli
