// Reading and writing files of any format that is known here.
//
//   auto pretrained = io::load_state_dict("resnet18.pth", {.rename = {{"module.*", "*"}}});
//   net.load_state_dict(pretrained, {.strict = false, .skip_mismatched = true});
#pragma once

#include <string>
#include <vector>

#include <gradus/io/options.h>
#include <gradus/io/rename.h>
#include <gradus/io/value.h>
#include <gradus/nn/state_dict.h>

namespace gradus::io {

// PyTorch's checkpoints, safetensors, .npy and .npz files, told apart by their content. A .npy file is a tensor; a
// safetensors file is a dict (its metadata: load_safetensors). IoError for anything damaged or unknown.
Value load(const std::string& path, const LoadOptions& options = {});

// In the format that the name says: .pt, .pth, .ckpt, .bin (PyTorch), .safetensors, .npy, .npz. The file appears whole
// or not at all. ValueError for other names and for what the format cannot hold.
void save(const std::string& path, const Value& value);
void save(const std::string& path, const nn::StateDict& dict);

struct LoadStateDictOptions {
  Path at = {};                     // where in the file: {"state_dict"}
  std::vector<Rename> rename = {};  // as rename_keys
  LoadOptions load = {};
};
// A dict of tensors from any file. ValueError if there is none at that place, saying what is there.
nn::StateDict load_state_dict(const std::string& path, const LoadStateDictOptions& options = {});

// ValueError for keys that are numbers and values that are no tensors.
nn::StateDict to_state_dict(const Value& value);
Value to_value(const nn::StateDict& dict);

}  // namespace gradus::io
