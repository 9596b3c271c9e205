// Prefixes of language models in PEFT's files: one tensor for all layers, as its PREFIX_TUNING has it.
#pragma once

#include <gradus/io/value.h>
#include <gradus/nn/module.h>

#include "training/adapter_config.h"

namespace gradus::training {

// ValueError where a layer has none, or has one of other sizes than the first.
std::pair<io::Value, nlohmann::ordered_json> prefix_to_file(const nn::Module& net, const std::string& name);

// Returns the layers' names. IoError where the file does not fit the network, which has not changed then.
std::vector<std::string> prefix_from_file(nn::Module& net, const AdapterConfig& config, const std::string& file,
                                          const std::string& name);

}  // namespace gradus::training
