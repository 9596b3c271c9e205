// Errors thrown by Gradus. A message reads `call: rule, values`,
// e.g. `matmul: need [m, k] and [k, n], got [64, 128] and [7, 128]`.
#pragma once

#include <stdexcept>
#include <string>

namespace gradus {

// Base of everything the library throws. Nothing is changed by a call that throws, unless its documentation says so.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class ShapeError : public Error {  // sizes, ranks and dimensions
  using Error::Error;
};
class DtypeError : public Error {  // element types
  using Error::Error;
};
class IndexError : public Error {  // positions and ranges
  using Error::Error;
};
class ValueError : public Error {  // numbers, options and names
  using Error::Error;
};
class AutogradError : public Error {  // differentiation: leaf rules, freed graphs, tensors changed in place
  using Error::Error;
};
class IoError : public Error {  // files and formats
  using Error::Error;
};

}  // namespace gradus
