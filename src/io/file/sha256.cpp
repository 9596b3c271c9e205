#include "io/file/sha256.h"

#include <fmt/format.h>
#include <gradus/core/error.h>

#ifdef GRADUS_HAS_OPENSSL
#include <openssl/evp.h>

#include <array>
#endif

namespace gradus::io {

#ifdef GRADUS_HAS_OPENSSL
std::string sha256(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1)
    throw Error("sha256: libcrypto could not compute it");
  std::string text;
  for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}
#else
std::string sha256(std::string_view) {
  throw Error("sha256: receipts need OpenSSL's libcrypto, and this library was built without it");
}
#endif

}  // namespace gradus::io
