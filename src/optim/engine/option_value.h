// Options of optimizers as io::Value, there and back. Errors read `call: path: what`.
#pragma once

#include <gradus/io/value.h>
#include <gradus/optim/optimizer.h>

namespace gradus::optim {

io::Path joined(io::Path path, std::initializer_list<io::Key> more);
[[noreturn]] void refuse(const char* call, const io::Path& path, const std::string& what);

io::Value to_value(const OptionValue& option);
// A number, also as a tensor of one element (a rate that PyTorch keeps on the device).
double number_at(const char* call, const io::Value& saved, const io::Path& path);
OptionValue option_at(const char* call, const io::Value& saved, const io::Path& path);

}  // namespace gradus::optim
