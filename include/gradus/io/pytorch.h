// PyTorch's checkpoint files: what torch.save writes and torch.load reads.
//
// Read: zip archives (PyTorch 1.6 and later), the stream format before them (_use_new_zipfile_serialization=False), and
// the tar format of 2017. Nothing in a file is executed: tensors, numbers, strings and containers of them are values,
// and anything else is an object with its class and content (Value::object). Tensors that share storage share it here
// too: tied weights stay tied, views stay views. Tensors of other devices come to the CPU. OrderedDicts and Counters
// become dicts; attributes of a state dict (_metadata) are left out.
#pragma once

#include <gradus/io/options.h>
#include <gradus/io/value.h>

namespace gradus::io {

// IoError for anything that is damaged, naming the file and what is wrong with it.
Value load_pytorch(const std::string& path, const LoadOptions& options = {});

// Writes a zip archive that torch.load(path, weights_only=True) accepts. Storages are written whole and once, as
// PyTorch writes them: a small view of a large tensor costs the large tensor; save its clone() instead.
// ValueError, before anything is written, for what cannot be saved: objects but sets, complex numbers and integers.
void save_pytorch(const std::string& path, const Value& value);

}  // namespace gradus::io
