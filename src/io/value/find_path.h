// Places in a file by the names that are shown of them.
#pragma once

#include <gradus/io/value.h>

namespace gradus::io {

// "models.0.net" or "models[0].net": keys with dots in them, positions and integer keys are found as the names of the
// leaves show them (`gradus ckpt show`); "" is the value itself. ["a.b"] stands for the key itself where a name has two
// readings. ValueError, "CALL: ...", where there is no such place, or two.
Path find_path(std::string_view call, const Value& value, std::string_view text);

// A path as the names of leaves show it.
std::string shown_path(const Path& path);

}  // namespace gradus::io
