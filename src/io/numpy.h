#pragma once

#include <gradus/io/numpy.h>

#include <memory>
#include <string>

#include "io/zip.h"

namespace gradus::io {

// What stands before the elements, in row-major order, of a .npy file. ValueError for a type that NumPy lacks.
std::string npy_header(Dtype dtype, const Shape& sizes);

bool is_npy(std::string_view file);
// The array in bytes [begin, end) of the source.
Tensor read_npy(const std::shared_ptr<Source>& source, std::string_view name, std::size_t begin, std::size_t end);
bool is_npz(const Zip& zip);
Value read_npz(const Zip& zip);

}  // namespace gradus::io
