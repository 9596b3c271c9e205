// The binary version of CIFAR-10 and CIFAR-100 (https://www.cs.toronto.edu/~kriz/cifar.html): records of one or two
// labels and 3072 bytes, the red, green and blue planes of 32 x 32 pixels.
#pragma once

#include <gradus/tensor.h>

#include <string>
#include <string_view>
#include <vector>

namespace gradus::data {

struct CifarFormat {
  std::vector<int> label_limits;  // classes that each label of a record counts: {10}, or {20, 100}
  std::size_t label;              // which of them is wanted
};
inline const CifarFormat kCifar10{{10}, 0}, kCifar100Coarse{{20, 100}, 0}, kCifar100{{20, 100}, 1};

struct CifarRecords {
  Tensor images;   // uint8 [N, 3, 32, 32]
  Tensor targets;  // int64 [N]
};
// IoError naming the file, and the record if it is one that is wrong.
CifarRecords parse_cifar(std::string_view bytes, const CifarFormat& format, const std::string& name);

}  // namespace gradus::data
