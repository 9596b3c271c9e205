// The text of an exception, for tests of what an error says.
#pragma once

#include <gradus/core/error.h>

#include <exception>
#include <string>

namespace gradus::test {

// What the E that `call` throws says, or what happened instead.
template <class E = Error, class Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("another exception: ") + error.what();
  }
  return "no exception";
}

}  // namespace gradus::test
