// IDX files, the format of MNIST and Fashion-MNIST (http://yann.lecun.com/exdb/mnist): 2 zero bytes, a type, the number
// of dimensions, each dimension as 4 bytes (most significant first), then the values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gradus::data {

struct IdxArray {
  std::vector<int64_t> shape;  // e.g. [60000, 28, 28]
  std::vector<uint8_t> bytes;  // row-major
};

// Reads an IDX file of unsigned bytes (type 0x08), plain or gzipped, whatever its name. If there is no file `path`, the
// same name with ".gz" added or taken off, with ".idx" for "-idx", or within a folder of that name is read. The file
// must hold exactly what its header says. Memory is taken as the values arrive, so a damaged header costs none. IoError
// names the file and what is wrong with it.
IdxArray read_idx(const std::string& path);

}  // namespace gradus::data
