// What the documentation shows is what the tree holds: code that the build compiles, commands that exist, links that
// lead somewhere. Pages in Chinese show the same code as the English ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "support/command.h"
#include "support/paths.h"

namespace gradus::test {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream in(source_path(path));
  EXPECT_TRUE(in.is_open()) << path;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

bool exists(const std::string& path) { return std::filesystem::exists(source_path(path)); }

struct Block {
  std::string language, code;
  bool operator==(const Block&) const = default;
};

// What stands between ```language and ```, in order.
std::vector<Block> blocks_of(const std::string& page) {
  std::istringstream lines(text_of(page));
  std::vector<Block> blocks;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      inside = !inside;
      if (inside) blocks.push_back({line.substr(3), ""});
    } else if (inside) {
      blocks.back().code += line + "\n";
    }
  }
  EXPECT_FALSE(inside) << page << ": a block has no end";
  return blocks;
}

// README.md, README.zh.md, docs/*.md, docs/audit/*.md.
std::vector<std::string> pages() {
  std::vector<std::string> found;
  for (const char* folder : {"", "docs/", "docs/audit/"})
    for (const auto& entry : std::filesystem::directory_iterator(source_path(folder))) {
      const std::string name = entry.path().filename().string();
      if (name.ends_with(".md")) found.push_back(folder + name);
    }
  std::sort(found.begin(), found.end());
  return found;
}

TEST(Pages, SayWhatLanguageTheirBlocksAreIn) {
  const std::set<std::string> known{"cpp", "python", "sh", "cmake", "yaml", "json", "text"};
  for (const std::string& page : pages())
    for (const Block& block : blocks_of(page))
      EXPECT_TRUE(known.contains(block.language)) << page << ": '" << block.language << "'\n" << block.code;
}

// Each block begins with the file it is cut from, "// src/ops/elementwise/trigonometric.cpp"; what is compiled there is
// compiled here. The README shows one example whole.
TEST(Pages, ShowCodeThatIsBuilt) {
  const std::set<std::string> built{"examples", "include", "src", "tests", "bench", "fuzz"};
  for (const std::string& page : pages()) {
    for (const Block& block : blocks_of(page)) {
      if (block.language != "cpp" || block.code == text_of("examples/autoencoder.cpp")) continue;
      const std::size_t end = block.code.find('\n');
      ASSERT_EQ(block.code.substr(0, 3), "// ") << page << " shows code without naming its file:\n" << block.code;
      const std::string path = block.code.substr(3, end - 3);
      EXPECT_TRUE(built.contains(path.substr(0, path.find('/')))) << page << ": " << path;
      EXPECT_NE(text_of(path).find(block.code.substr(end + 1)), std::string::npos)
          << page << " shows, from " << path << ":\n"
          << block.code;
    }
  }
}

TEST(Pages, ShowPythonThatParses) {
  if (run_shell("command -v python3").status != 0) GTEST_SKIP() << "no python3";
  const TempFolder folder;
  std::ofstream(folder / "check.py")
      << "import ast, sys\nfor name in sys.argv[1:]:\n    ast.parse(open(name).read(), name)\n";
  std::string files;
  for (const std::string& page : pages()) {
    int number = 0;
    for (const Block& block : blocks_of(page)) {
      if (block.language != "python") continue;
      std::string name = page + "-" + std::to_string(++number) + ".py";
      std::replace(name.begin(), name.end(), '/', '-');
      std::ofstream(folder / name) << block.code;
      files += " '" + folder / name + "'";
    }
  }
  ASSERT_FALSE(files.empty());
  const CommandResult result = run_shell("python3 '" + folder / "check.py" + "'" + files);
  EXPECT_EQ(result.status, 0) << result.err;
}

// The words of a line for a shell, without comments; several commands are several lists.
std::vector<std::vector<std::string>> commands_of(std::string code) {
  for (std::size_t at; (at = code.find("\\\n")) != std::string::npos;) code.replace(at, 2, " ");
  std::vector<std::vector<std::string>> commands;
  std::istringstream lines(code);
  for (std::string line; std::getline(lines, line);) {
    commands.emplace_back();
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      if (word.starts_with("#")) break;
      if (word == "&&" || word == "|" || word == ";") {
        commands.emplace_back();
      } else if (commands.back().empty() && word.find('=') != std::string::npos) {
        continue;  // a variable for the command
      } else {
        commands.back().push_back(word);
      }
    }
  }
  std::erase_if(commands, [](const auto& words) { return words.empty(); });
  return commands;
}

// Every flag is one that the subcommand's help knows.
void check_gradus(const std::string& page, const std::vector<std::string>& words) {
  static std::map<std::string, CommandResult> helps;
  std::string subcommand, line;
  for (std::size_t i = 1; i < words.size() && !words[i].starts_with("-"); ++i) subcommand += words[i] + " ";
  for (const std::string& word : words) line += word + " ";
  if (!helps.contains(subcommand)) helps[subcommand] = run_gradus(subcommand + "--help");
  const CommandResult& help = helps[subcommand];
  EXPECT_EQ(help.status, 0) << page << ": " << line << "\n" << help.err;
  if (words.size() > 1 && words[1] == "resume") return;  // it takes the flags of the command that it goes on with
  for (std::string word : words) {
    word = word.substr(0, word.find('='));
    if (!word.starts_with("--")) continue;
    const std::size_t at = help.out.find(word);
    EXPECT_NE(at, std::string::npos) << page << ": " << line << "has no " << word;
  }
}

void check_command(const std::string& page, const std::vector<std::string>& words) {
  const std::set<std::string> outside{"cmake", "ctest", "cpack",   "c++",     "conan",       "vcpkg",
                                      "git",   "pip",   "python3", "export",  "mkdir",       "cd",
                                      "cp",    "sudo",  "apt",     "apt-get", "tensorboard", "mpirun"};
  std::string command = words[0];
  if (command == "gradus" || command.ends_with("/gradus")) return check_gradus(page, words);
  if (command == "sudo") command = words[1];
  if (command.starts_with("build/")) {
    // A program that one of our presets builds, or the program of a reader's own.
    static const std::string lists = text_of("CMakeLists.txt") + text_of("bench/CMakeLists.txt") +
                                     text_of("examples/CMakeLists.txt") + text_of("docs/getting-started.md");
    const std::string name = command.substr(command.rfind('/') + 1);
    EXPECT_TRUE(lists.find(name) != std::string::npos || name.starts_with("fuzz_") ||
                exists("examples/" + name + ".cpp"))
        << page << ": " << command;
  } else if (command.find('/') != std::string::npos) {
    EXPECT_TRUE(exists(command)) << page << ": " << command;
  } else {
    EXPECT_TRUE(outside.contains(command)) << page << ": " << command;
  }
  for (std::size_t i = 1; i + 1 < words.size(); ++i)
    if (words[i] == "--preset") {
      EXPECT_NE(text_of("CMakePresets.json").find("\"name\": \"" + words[i + 1] + "\""), std::string::npos)
          << page << ": there is no preset " << words[i + 1];
    }
}

TEST(Pages, ShowCommandsThatExist) {
  if (command_path().empty()) GTEST_SKIP() << "the command is not built";
  int count = 0;
  for (const std::string& page : pages())
    for (const Block& block : blocks_of(page))
      if (block.language == "sh")
        for (const auto& words : commands_of(block.code)) {
          check_command(page, words);
          ++count;
        }
  EXPECT_GT(count, 0);
}

TEST(Pages, ShowTheSameCodeInBothLanguages) {
  int count = 0;
  for (const std::string& page : pages()) {
    if (!page.ends_with(".zh.md")) continue;
    const std::string english = page.substr(0, page.size() - 6) + ".md";
    const auto ours = blocks_of(page), theirs = blocks_of(english);
    for (std::size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i)
      EXPECT_EQ(ours[i].code, theirs[i].code) << "block " << i + 1 << ": copy it from " << english << " to " << page;
    EXPECT_EQ(ours.size(), theirs.size()) << page << " and " << english << " have different numbers of blocks";
    EXPECT_TRUE(ours == theirs);
    ++count;
  }
  EXPECT_GT(count, 0);
}

TEST(Pages, LinkToFilesThatExist) {
  for (const std::string& page : pages()) {
    std::istringstream lines(text_of(page));
    const auto folder = std::filesystem::path(page).parent_path();
    bool code = false;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("```")) code = !code;
      if (code) continue;
      for (std::size_t at = line.find("]("); at != std::string::npos; at = line.find("](", at)) {
        at += 2;
        std::string target = line.substr(at, line.find(')', at) - at);
        if (target.find("://") != std::string::npos) continue;
        target = target.substr(0, target.find('#'));
        EXPECT_TRUE(exists((folder / target).string())) << page << ": " << target;
      }
    }
  }
}

}  // namespace
}  // namespace gradus::test
