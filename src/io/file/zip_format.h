// Numbers of the zip format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gradus::io::zip {

inline constexpr std::string_view kLocalSignature{"PK\3\4", 4};
inline constexpr std::string_view kDescriptorSignature{"PK\7\x08", 4};
inline constexpr std::string_view kCentralSignature{"PK\1\2", 4};
inline constexpr std::string_view kEndSignature{"PK\5\6", 4};
inline constexpr std::string_view kEnd64Signature{"PK\6\6", 4};
inline constexpr std::string_view kLocatorSignature{"PK\6\7", 4};

inline constexpr std::size_t kLocalSize = 30;    // of a local header, before the name
inline constexpr std::size_t kEndSize = 22;      // of the end record, before the comment
inline constexpr std::size_t kLocatorSize = 20;  // of the zip64 locator

inline constexpr std::uint16_t kEncrypted = 1, kStreamed = 8, kUtf8 = 0x800;
inline constexpr std::uint16_t kStored = 0, kDeflated = 8;
inline constexpr std::uint16_t kZip64Extra = 1;
inline constexpr std::uint32_t kMax32 = 0xffffffff;
inline constexpr std::uint16_t kMax16 = 0xffff;

}  // namespace gradus::io::zip
