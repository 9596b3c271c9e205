// Telling a damaged file from one that cannot be read for another reason.
#pragma once

#include <string>

namespace gradus::io {

// Whether the file at `path`, which should be a checkpoint of ours, is proven damaged: it is not a whole zip archive,
// or bytes in it disagree with their checksum. False for what says nothing about the bytes: a folder, contents of
// another format. IoError where it cannot be read; OutOfMemory.
bool is_damaged(const std::string& path);

// Reads the whole file once. A bad sector is an IoError here; in a mapping it would end the process.
void read_through(const std::string& path);

}  // namespace gradus::io
