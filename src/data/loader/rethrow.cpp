#include "data/loader/rethrow.h"

#include "gradus/core/error.h"
#include "gradus/core/memory.h"

namespace gradus::data {

namespace {

// One catch for each kind: E is the first of the list that the current exception is.
template <class E, class... Rest>
[[noreturn]] void throw_as(const std::string& context) {
  try {
    throw;
  } catch (const E& error) {
    throw E(context + error.what());
  } catch (...) {
    if constexpr (sizeof...(Rest) > 0) throw_as<Rest...>(context);
    throw;
  }
}

}  // namespace

std::exception_ptr with_context(const std::string& context) {
  try {
    try {
      throw;
    } catch (const OutOfMemory& error) {
      OutOfMemory named = error;
      named.add_context(context);
      throw named;
    } catch (const Error&) {
      throw_as<ShapeError, DtypeError, IndexError, ValueError, AutogradError, IoError, Error>(context);
    } catch (const std::exception& error) {
      std::throw_with_nested(Error(context + error.what()));
    } catch (...) {
      std::throw_with_nested(Error(context + "an exception of no known type"));
    }
  } catch (...) {
    return std::current_exception();
  }
}

}  // namespace gradus::data
