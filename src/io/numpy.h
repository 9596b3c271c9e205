#pragma once

#include <gradus/io/numpy.h>

#include <memory>

#include "io/zip.h"

namespace gradus::io {

bool is_npy(std::string_view file);
// The array in bytes [begin, end) of the source.
Tensor read_npy(const std::shared_ptr<Source>& source, std::string_view name, std::size_t begin, std::size_t end);
bool is_npz(const Zip& zip);
Value read_npz(const Zip& zip);

}  // namespace gradus::io
