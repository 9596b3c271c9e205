// NumPy's files: one array (.npy), or several by name (.npz).
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <gradus/io/options.h>
#include <gradus/io/value.h>

namespace gradus::io {

// Arrays of bool, uint8, int32, int64, float32 and float64, in either byte order; others are refused by name. Arrays in
// Fortran's order come as transposed views. IoError.
Tensor load_npy(const std::string& path, const LoadOptions& options = {});
void save_npy(const std::string& path, const Tensor& tensor);

// A dict of tensors. Compressed files (savez_compressed) are read too; one that inflates to more than
// LoadOptions::memory is refused. Written without compression.
Value load_npz(const std::string& path, const LoadOptions& options = {});
void save_npz(const std::string& path, const Value& tensors);

}  // namespace gradus::io
