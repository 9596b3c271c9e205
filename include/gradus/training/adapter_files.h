// Adapters in files, laid out as PEFT does: a folder with adapter_config.json and adapter_model.safetensors. LoRA, DoRA
// and IA3 move both ways; bottlenecks and prefixes have the same layout, which PEFT does not read.
#pragma once

#include <gradus/nn/adapters.h>

namespace gradus::training {

struct AdapterFileOptions {
  std::string name = "default";  // the adapter's
  std::string base_model = "";   // what the file says that it belongs to
};

// Writes one adapter of the network; the folder is made where it is missing. The layers' names are the network's, after
// PEFT's `base_model.model.`.
void save_adapter(const nn::Module& net, const std::string& folder, const AdapterFileOptions& options = {});

// Puts the adapter of a folder on the network, as `options.name`, and freezes the rest. Returns the names of the
// layers. IoError, naming the file, the field or the tensor, for what is missing, damaged, of another kind or does not
// fit the network; nothing has changed then.
std::vector<std::string> load_adapter(nn::Module& net, const std::string& folder,
                                      const AdapterFileOptions& options = {});

}  // namespace gradus::training
