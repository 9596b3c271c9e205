// Replays the inputs that the fuzzers found interesting.
#include <gtest/gtest.h>

#include <filesystem>

#include "io/parsers.h"
#include "support/paths.h"
#include "support/temp_folder.h"

namespace gradus::test {
namespace {

TEST(Corpus, IsParsedWithoutAFinding) {
  for (const auto& [name, parse] : parsers()) {
    std::size_t inputs = 0;
    for (const auto& entry : std::filesystem::directory_iterator(source_path("fuzz/corpus/" + name))) {
      SCOPED_TRACE(entry.path().string());
      EXPECT_NO_THROW(parse(file_bytes(entry.path().string())));
      ++inputs;
    }
    EXPECT_GT(inputs, 0u) << name;
  }
}

}  // namespace
}  // namespace gradus::test
