// A state dict somewhere in a file, for the library, the commands and recipes alike.
#pragma once

#include <gradus/io/rename.h>
#include <gradus/nn/state_dict.h>

#include "io/checkpoint/read_any.h"

namespace gradus::io {

struct StateDictRequest {
  std::string call = "load_state_dict";  // how errors begin, and the caller's words for what helps
  std::string at_word = ".at", rename_word = ".rename";
  Path at = {};                        // below this
  std::vector<Rename> rename = {};     // names within the dict
  LoadOptions load = {};               // how the file was read: its names may take as much memory again
  const nn::StateDict* fit = nullptr;  // a network's own: choose what fits it, without the prefix that it lacks
};

// Stands in a state dict for an entry that is not a tensor: an empty one, as PyTorch's own modules have it where there
// is no extra state. nn::Module::load_state_dict reports its name.
Tensor not_a_tensor();

struct FoundStateDict {
  nn::StateDict dict;
  std::vector<std::string> not_tensors;  // names in it
  std::string place;                     // in words, where it is not simply the file: " at state_dict.module"
};

// The dictionary at `at`. Where that holds several, or is none: the only one below it; with `fit`, the one that has the
// most tensors of the network's names and sizes, if no other has as many. ValueError where that does not decide, where
// there is none, and where a rule for names matches nothing.
FoundStateDict find_state_dict(const LoadedFile& file, const std::string& path, const StateDictRequest& request);

}  // namespace gradus::io
