// The entry point of libFuzzer, for the parser that GRADUS_PARSER names.
#include "io/parsers.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static const gradus::test::Parser parse = gradus::test::parsers().at(GRADUS_PARSER);
  parse({reinterpret_cast<const char*>(data), size});
  return 0;
}
