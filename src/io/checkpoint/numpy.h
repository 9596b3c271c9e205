#pragma once

#include <gradus/io/numpy.h>

#include <memory>
#include <string>

#include "io/file/zip.h"

namespace gradus::io {

// What stands before the elements, in row-major order, of a .npy file. ValueError for a type that NumPy lacks.
std::string npy_header(Dtype dtype, const Shape& sizes);

// What stands for an array of a type that is not read.
Value unknown_array(std::string_view type, const std::vector<std::int64_t>& shape);

bool is_npy(std::string_view file);
// The array in bytes [begin, end) of the source: a tensor, or an object where its type is not read.
Value read_npy(const std::shared_ptr<Source>& source, std::string_view name, std::size_t begin, std::size_t end);
bool is_npz(const Zip& zip);
// All arrays, or those of these names.
Value read_npz(const Zip& zip, const std::vector<std::string>& names = {});

}  // namespace gradus::io
