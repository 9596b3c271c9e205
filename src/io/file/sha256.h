// SHA-256 of bytes, as `sha256sum` prints it.
#pragma once

#include <string>
#include <string_view>

namespace gradus::io {

// Error where the library was built without OpenSSL's libcrypto.
std::string sha256(std::string_view bytes);

}  // namespace gradus::io
