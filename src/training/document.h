// The tree of values that a checkpoint is.
#pragma once

#include <gradus/io/value.h>

#include <map>

namespace gradus::training {

inline constexpr const char* kFormat = "gradus checkpoint";

// The same tree with tensors of its own. Tensors that were one stay one. Without `all`, only those that hold a part of
// a larger storage are copied: a file would hold the whole of it.
class Copier {
 public:
  explicit Copier(bool all = true) : all_(all) {}
  io::Value operator()(const io::Value& value);

 private:
  Tensor copy(const Tensor& tensor);
  bool all_;
  std::multimap<const void*, std::pair<Tensor, Tensor>> copies_;  // by the address of the elements: old and new
};
io::Value copied(const io::Value& value);

// The value, if it is a checkpoint that this version can read. ValueError.
io::Value checked_document(const io::Value& value);

}  // namespace gradus::training
