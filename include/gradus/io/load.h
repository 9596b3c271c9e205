// Reading and writing files of any format that is known here.
//
//   auto pretrained = io::load_state_dict("resnet18.pth", {.fit = net.state_dict()});
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
// safetensors file is a dict (its metadata: load_safetensors). `path` may be a folder as the Hub has them, or the index
// of files in it (model.safetensors.index.json): then it is one dict. IoError for anything damaged or unknown, which is
// named for what it is.
Value load(const std::string& path, const LoadOptions& options = {});

// In the format that the name says: .pt, .pth, .ckpt, .bin (PyTorch), .safetensors, .npy, .npz. The file appears whole
// or not at all. ValueError for other names and for what the format cannot hold.
void save(const Value& value, const std::string& path);
void save(const nn::StateDict& dict, const std::string& path);
// The same, with the path first.
void save(const std::string& path, const Value& value);
void save(const std::string& path, const nn::StateDict& dict);

struct LoadStateDictOptions {
  Path at = {};                     // where in the file: {"state_dict"}
  std::vector<Rename> rename = {};  // names within the dict
  LoadOptions load = {};
  nn::StateDict fit = {};  // a network's state_dict(): choose what fits it best
};
// A dict of tensors from any file. An entry that is not a tensor (a module's "_extra_state", an "epoch") stands as an
// empty one; load_state_dict of a module reports it and does not refuse it. Where the file, or what is at
// `at`, holds it further inside ("state_dict", "model"), it is found by itself if it is the only one. With `fit` the
// network decides: taken are the names that fit most of its names and sizes, without what stands before them
// ("module." of DataParallel, "_orig_mod." of torch.compile). ValueError, saying what is there, where there is none, or
// where several are possible; and for a rename that matches nothing.
nn::StateDict load_state_dict(const std::string& path, const LoadStateDictOptions& options = {});

// Entries that are not tensors stand as empty ones. ValueError for keys that are numbers.
nn::StateDict to_state_dict(const Value& value);
Value to_value(const nn::StateDict& dict);

}  // namespace gradus::io
