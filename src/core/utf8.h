// Texts whose bytes others made: names of files, of columns.
#pragma once

#include <string>
#include <string_view>

namespace gradus::core {

bool is_utf8(std::string_view text);

// The same text where it is UTF-8. Bytes that are not become \xe9, so that different names stay different.
std::string to_utf8(std::string_view text);

}  // namespace gradus::core
