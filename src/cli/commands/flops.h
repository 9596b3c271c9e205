// gradus flops: what a network consists of and what it costs.
#pragma once

#include <gradus/models/registry.h>

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace gradus::cli {

// Defines the command; running it sets `status`.
void add_flops(CLI::App& app, int& status);

// "3x224x224" -> [3, 224, 224]. ValueError naming `option`.
Shape parse_sizes(const std::string& option, const std::string& text);

// "num_classes=10" for each; a value has the type of the model's option. ValueError naming `option`.
models::Options parse_model_options(const std::string& option, const std::string& model,
                                    const std::vector<std::string>& texts);

}  // namespace gradus::cli
