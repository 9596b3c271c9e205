// NumPy's files: one array (.npy), or several by name (.npz).
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <gradus/io/options.h>
#include <gradus/io/value.h>

#include <string>
#include <vector>

namespace gradus::io {

// Arrays of all types of numbers but complex ones, in either byte order (those that tensors lack are widened: uint16 to
// int32); others are refused by name. Arrays in Fortran's order come as transposed views. IoError.
Tensor load_npy(const std::string& path, const LoadOptions& options = {});
void save_npy(const std::string& path, const Tensor& tensor);

// A dict of tensors; an array that load_npy would refuse is an object there. With `names` only these are read, and
// nothing of the others. Compressed files (savez_compressed) are read too; one that inflates to more than
// LoadOptions::memory is refused. Written without compression. ValueError if there is no array of a name.
Value load_npz(const std::string& path, const LoadOptions& options = {}, const std::vector<std::string>& names = {});
void save_npz(const std::string& path, const Value& tensors);

}  // namespace gradus::io
