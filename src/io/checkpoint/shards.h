// State dicts in several files, as the Hub has them: an index in JSON says which file holds which tensor.
#pragma once

#include "io/checkpoint/read_any.h"

namespace gradus::io {

// The files of a folder that hold its weights: one file or index; several where an index is missing. A folder may hold
// much else; what to do is said where no weights are found. IoError.
std::vector<std::string> weights_in(const std::string& folder);

// Which tensor the index says is in which file, in its order; names may be anything. IoError.
std::vector<std::pair<std::string, std::string>> read_weight_map(Source& index);

// The tensors of all files that the index names, which must lie beside it. What the index says is checked against what
// the files hold. IoError.
LoadedFile read_index(const std::shared_ptr<Source>& index, const LoadOptions& options);
// The tensors of these files, each name in one of them.
LoadedFile read_shards(const std::vector<std::string>& files, const LoadOptions& options);

}  // namespace gradus::io
