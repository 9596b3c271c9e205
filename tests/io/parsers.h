// The parsers of files, as the fuzzers run them (fuzz/), and the tests that replay the fuzzers' inputs.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace gradus::test {

// Parses the bytes and touches everything that comes out. Files that are refused are fine; anything else that is thrown
// comes out.
using Parser = void (*)(std::string_view bytes);
const std::map<std::string, Parser>& parsers();

}  // namespace gradus::test
