// Weights from files, as all commands take them.
#pragma once

#include <gradus/io/options.h>
#include <gradus/io/rename.h>
#include <gradus/nn/module.h>

#include <string>
#include <vector>

#include "io/checkpoint/read_any.h"

namespace gradus::cli {

struct Weights {
  std::string file;                 // or a folder
  std::string at;                   // a place in it, as `ckpt show` names it
  std::vector<std::string> rename;  // "PATTERN=REPLACEMENT"
  std::int64_t memory = 0;          // MB for what the file describes; 0: by its size
};

io::LoadOptions load_options(std::int64_t memory);
// ValueError for what is not PATTERN=REPLACEMENT.
std::vector<io::Rename> parse_renames(const std::vector<std::string>& texts);

// Loads what fits by name and size, and prints what does not. ValueError where nothing fits. With `head`, the path of
// the part that may be new: also where less than half of the rest fits, unless `partial`; nothing is changed then.
nn::LoadReport load_weights(nn::Module& net, const Weights& weights, const std::string& head, bool partial);
// Loads weights that must fit altogether.
void load_all_weights(nn::Module& net, const Weights& weights);

// ValueError where something that is frozen is not in the weights: it would stay random.
void check_frozen(const nn::Module& net, const nn::LoadReport& report, const std::string& file);

}  // namespace gradus::cli
