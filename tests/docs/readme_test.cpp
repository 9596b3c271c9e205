// The code in the documentation is the code in the tree, and its links lead somewhere.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

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

// What stands between ```cpp and ```, in order.
std::vector<std::string> cpp_blocks(const std::string& page) {
  const std::string open = "```cpp\n", close = "```\n";
  std::vector<std::string> blocks;
  for (std::size_t at = page.find(open); at != std::string::npos; at = page.find(open, at)) {
    at += open.size();
    const std::size_t end = page.find(close, at);
    if (end == std::string::npos) break;
    blocks.push_back(page.substr(at, end - at));
    at = end + close.size();
  }
  return blocks;
}

TEST(Readme, ShowsTheExampleThatIsBuilt) {
  const auto blocks = cpp_blocks(text_of("README.md"));
  ASSERT_FALSE(blocks.empty());
  EXPECT_EQ(blocks[0], text_of("examples/autoencoder.cpp"));
}

// All pages of docs/ but the design.
std::vector<std::string> guides() {
  std::vector<std::string> pages;
  for (const auto& entry : std::filesystem::directory_iterator(source_path("docs"))) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".md") && name != "design.md") pages.push_back("docs/" + name);
  }
  return pages;
}

// There each block begins with the file it is from: "// src/ops/trigonometric.cpp".
TEST(Guides, ShowCodeThatIsInTheTree) {
  for (const std::string& page : guides()) {
    const auto blocks = cpp_blocks(text_of(page));
    EXPECT_FALSE(blocks.empty()) << page;
    for (const std::string& block : blocks) {
      const std::size_t end = block.find('\n');
      ASSERT_EQ(block.substr(0, 3), "// ") << page;
      const std::string path = block.substr(3, end - 3);
      EXPECT_NE(text_of(path).find(block.substr(end + 1)), std::string::npos)
          << page << " shows, from " << path << ":\n"
          << block;
    }
  }
}

TEST(Pages, LinkToFilesThatExist) {
  std::vector<std::string> pages = guides();
  pages.insert(pages.end(), {"README.md", "docs/design.md"});
  for (const std::string& page : pages) {
    const std::string text = text_of(page);
    const auto folder = std::filesystem::path(page).parent_path();
    for (std::size_t at = text.find("]("); at != std::string::npos; at = text.find("](", at)) {
      const bool lambda = at > 0 && (text[at - 1] == '[' || text[at - 1] == '&');
      at += 2;
      std::string target = text.substr(at, text.find(')', at) - at);
      if (lambda || target.find("://") != std::string::npos) continue;
      target = target.substr(0, target.find('#'));
      EXPECT_TRUE(std::filesystem::exists(source_path((folder / target).string()))) << page << ": " << target;
    }
  }
}

}  // namespace
}  // namespace gradus::test
