// Adapters in files, in PEFT's layout: a folder with adapter_config.json and adapter_model.safetensors. LoRA, DoRA and
// IA3 can be exchanged with PEFT in both directions; bottlenecks and prefixes use the same layout, but PEFT cannot read
// them.
#pragma once

#include <gradus/nn/adapters.h>

namespace gradus::training {

struct AdapterFileOptions {
  std::string name = "default";  // of the adapter in the network
  std::string base_model = "";   // written as base_model_name_or_path, which PEFT shows
};

// Writes one adapter of the network. The folder is created if it does not exist. In the file, the names of the layers
// follow PEFT's prefix `base_model.model.`. ValueError for a name that no layer has; IoError.
void save_adapter(const nn::Module& net, const std::string& folder, const AdapterFileOptions& options = {});

// Adds the adapter in a folder to the network, under `options.name`, and freezes the rest. Returns the names of the
// layers. IoError, which names the file, the field or the tensor, for an adapter that is incomplete, damaged, of an
// unknown kind or does not fit the network; nothing has changed then.
std::vector<std::string> load_adapter(nn::Module& net, const std::string& folder,
                                      const AdapterFileOptions& options = {});

}  // namespace gradus::training
