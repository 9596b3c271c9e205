// Recipes with a mistake each, and what is said about it: place, rule and remedy. The end of a file holds the lines:
//   # expect: 7:3: data has no field 'bach_size'; did you mean 'batch_size'?
#include <gmock/gmock.h>

#include <algorithm>

#include "recipe/support.h"

namespace gradus::recipe {
namespace {

namespace fs = std::filesystem;

std::string expected(const std::string& text) {
  std::string lines;
  const std::string mark = "# expect: ";
  for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
    const std::string line = text.substr(at + mark.size(), text.find('\n', at) - at - mark.size());
    lines += (lines.empty() ? "" : "\n") + line;
  }
  return lines;
}

// What `gradus check` says, without the file's name.
std::string said(const std::string& text) {
  try {
    Mistakes mistakes;
    const Recipe recipe = parse_recipe(text, "recipe.yaml", {}, mistakes);
    manual_seed(recipe.seed);
    Training(recipe, mistakes).check();
  } catch (const RecipeError& e) {
    std::string what = e.what();
    const std::string name = "recipe.yaml:";
    for (std::size_t at = what.find(name); at != std::string::npos; at = what.find(name, at))
      what.erase(at, name.size());
    return what;
  }
  return "nothing";
}

TEST(BrokenRecipes, EachMistakeIsNamedWithPlaceAndRemedy) {
  std::size_t count = 0;
  for (const auto& file : fs::directory_iterator(test::source_path("tests/recipes/broken"))) {
    const std::string text = test::file_bytes(file.path().string());
    EXPECT_EQ(said(text), expected(text)) << file.path();
    ++count;
  }
  EXPECT_GE(count, 30U);
}

}  // namespace
}  // namespace gradus::recipe
