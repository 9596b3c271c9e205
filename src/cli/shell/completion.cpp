#include "cli/shell/completion.h"

#include <fmt/format.h>
#include <gradus/core/error.h>
#include <gradus/models/registry.h>

#include <memory>

#include "cli/shell/command_tree.h"
#include "text/table.h"

namespace gradus::cli {

namespace {

const std::vector<std::string>& positional_words(const CommandEntry& command, const CompletionWords& words) {
  static const std::vector<std::string> none;
  const auto found = words.find(command.path);
  return found == words.end() ? none : found->second;
}

// In single quotes, for all three shells.
std::string quoted(const std::string& text, const std::string& quote) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += quote;
    } else {
      out += c == '\n' ? ' ' : c;
    }
  }
  return out + "'";
}

// Up to the end of the first clause: descriptions are shown on one line.
std::string first_clause(const std::string& text) { return text.substr(0, text.find_first_of(":;\n")); }

std::string function_name(const std::string& path) {
  std::string name = "_gradus";
  if (!path.empty()) name += "_" + path;
  for (char& c : name)
    if (c == ' ' || c == '-') c = '_';
  return name;
}

std::string bash_script(const std::vector<CommandEntry>& tree, const CompletionWords& words) {
  std::string known, cases, valued;
  for (const CommandEntry& command : tree) {
    if (!command.path.empty()) {
      const std::size_t cut = command.path.rfind(' ');
      const std::string parent = cut == std::string::npos ? "" : command.path.substr(0, cut);
      known += fmt::format("      '{}/{}') path='{}' ;;\n", parent, command.name, command.path);
    }
    std::string options, others;
    for (const OptionEntry& option : command.options) {
      if (option.positional) continue;
      options += (options.empty() ? "" : " ") + option.name;
      if (!option.also.empty()) options += " " + option.also;
      if (!option.value.empty())
        valued += fmt::format("{}'{}/{}'", valued.empty() ? "" : " | ", command.path, option.name);
    }
    for (const CommandEntry* child : command.children) others += (others.empty() ? "" : " ") + child->name;
    for (const std::string& word : positional_words(command, words)) others += (others.empty() ? "" : " ") + word;
    cases += fmt::format("    '{}')\n      options='{}'\n      others='{}'\n      ;;\n", command.path, options, others);
  }
  return fmt::format(R"(# Completion of gradus for bash.
_gradus() {{
  local path='' options='' others='' i
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path/${{COMP_WORDS[i]}}" in
{}    esac
  done
  COMPREPLY=()
  case "$path/$previous" in
    {}) return ;;
  esac
  case "$path" in
{}  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W "$others" -- "$current")
  fi
}}
# Where nothing of this fits, files do.
complete -o default -F _gradus gradus
)",
                     known, valued.empty() ? "''" : valued, cases);
}

// _arguments gives brackets and colons a meaning.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_script(const std::vector<CommandEntry>& tree, const CompletionWords& words) {
  const std::string quote = "'\\''";
  std::string text = "#compdef gradus\n# Completion of gradus for zsh.\n";
  for (const CommandEntry& command : tree) {
    text += "\n" + function_name(command.path) + "() {\n";
    std::string arguments;
    for (const OptionEntry& option : command.options) {
      if (option.positional) continue;
      const std::string description = "[" + zsh_text(first_clause(option.description)) + "]";
      const std::string value = option.value.empty() ? "" : ":" + option.value + ":_files";
      for (const std::string& name : {option.name, option.also})
        if (!name.empty())
          arguments += " \\\n    " + quoted((option.repeats ? "*" : "") + name + description + value, quote);
    }
    if (!command.children.empty()) {
      text += "  local context state line\n  local -a commands=(";
      for (const CommandEntry* child : command.children)
        text += "\n    " + quoted(child->name + ":" + zsh_text(first_clause(child->description)), quote);
      text += "\n  )\n  _arguments -C" + arguments + " \\\n    '1: :->command' '*:: :->rest'\n";
      text += "  case $state in\n    command) _describe command commands ;;\n    rest)\n      case $line[1] in\n";
      for (const CommandEntry* child : command.children)
        text += fmt::format("        {}) {} ;;\n", child->name, function_name(child->path));
      text += "      esac ;;\n  esac\n";
    } else {
      const auto& given = positional_words(command, words);
      const std::string positional =
          given.empty() ? "'*:file:_files'" : fmt::format("'1:name:({})'", fmt::join(given, " "));
      text += "  _arguments" + arguments + " \\\n    " + positional + "\n";
    }
    text += "}\n";
  }
  return text + "\n_gradus \"$@\"\n";
}

std::string fish_script(const std::vector<CommandEntry>& tree, const CompletionWords& words) {
  const std::string quote = "\\'";
  std::string known;
  for (const CommandEntry& command : tree)
    if (!command.path.empty()) known += (known.empty() ? "" : " ") + quoted(command.path, quote);
  std::string text = fmt::format(R"(# Completion of gradus for fish.
function __gradus_at
    # Whether the words so far lead to the command "$argv".
    set -l known {}
    set -l path ''
    for word in (commandline -opc)[2..-1]
        set -l next (string trim -- "$path $word")
        if contains -- "$next" $known
            set path $next
        end
    end
    test "$path" = "$argv"
end
)",
                                 known);
  for (const CommandEntry& command : tree) {
    const std::string at = fmt::format("complete -c gradus -n \"__gradus_at {}\"", command.path);
    for (const CommandEntry* child : command.children)
      text += fmt::format("{} -f -a {} -d {}\n", at, child->name, quoted(first_clause(child->description), quote));
    for (const std::string& word : positional_words(command, words)) text += fmt::format("{} -f -a {}\n", at, word);
    for (const OptionEntry& option : command.options) {
      if (option.positional) continue;
      std::string names;
      for (const std::string& name : {option.name, option.also}) {
        if (name.starts_with("--")) {
          names += " -l " + name.substr(2);
        } else if (!name.empty()) {
          names += " -s " + name.substr(1);
        }
      }
      text += fmt::format("{}{}{} -d {}\n", at, names, option.value.empty() ? "" : " -r",
                          quoted(first_clause(option.description), quote));
    }
  }
  return text;
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell, const CompletionWords& words) {
  const auto tree = command_tree(app);
  if (shell == "bash") return bash_script(tree, words);
  if (shell == "zsh") return zsh_script(tree, words);
  if (shell == "fish") return fish_script(tree, words);
  throw ValueError("completion: there is no script for '" + shell + "'" + did_you_mean(shell, {"bash", "fish", "zsh"}));
}

void add_completion(CLI::App& app, int& status) {
  CLI::App& completion = *app.add_subcommand(
      "completion", "Print a script that completes this command in a shell: source <(gradus completion bash)");
  const auto shell = std::make_shared<std::string>();
  completion.add_option("SHELL", *shell, "bash, zsh or fish")->required();
  completion.callback([&app, shell, &status] {
    CompletionWords words{{"completion", {"bash", "fish", "zsh"}}};
    for (const models::ModelInfo& model : models::list()) words["flops"].push_back(model.name);
    fmt::print("{}", completion_script(app, *shell, words));
    status = 0;
  });
}

}  // namespace gradus::cli
