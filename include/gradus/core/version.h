#pragma once

namespace gradus {

/// The version of the library in use at run time, e.g. "0.1.0".
const char* version();

}  // namespace gradus
