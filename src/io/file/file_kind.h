// What a file is, by its first bytes. The only place that looks at them.
#pragma once

#include <string>
#include <string_view>

#include "io/file/zip.h"

namespace gradus::io {

enum class FileKind { Empty, PytorchStream, Tar, Zip, Npy, Safetensors, ShardIndex, Unknown };
FileKind kind_of(std::string_view file);

// What a file of the kind Unknown is for a person, and what to do: "it is an HTML page, ...; download ...".
std::string describe_unknown(std::string_view file);
// The same of a zip archive that is neither a checkpoint nor an .npz.
std::string describe_unknown(const Zip& zip);

}  // namespace gradus::io
