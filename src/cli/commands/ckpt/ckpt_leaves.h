// A checkpoint's values as a list.
#pragma once

#include <gradus/io/value.h>

#include <cstdint>
#include <string>
#include <vector>

namespace gradus::cli {

struct Leaf {
  std::string name;  // "optimizer.state.0.exp_avg"
  io::Path path;     // the same, where names of different places agree
  io::Value value;   // a tensor, or something that holds none
};
// Dicts are gone into, and lists, tuples and objects that hold tensors or dicts. Such an object is a leaf without its
// content, and the leaves of its content follow it.
std::vector<Leaf> leaves_of(const io::Value& value);

// As it is printed: control characters and what is not UTF-8 as \x1b, at most `width` characters.
std::string printable(const std::string& text, std::size_t width = 60);

struct Contents {
  std::int64_t tensors = 0, elements = 0;
  std::int64_t bytes = 0;  // of storages, each once
};
Contents contents_of(const std::vector<Leaf>& leaves);

}  // namespace gradus::cli
