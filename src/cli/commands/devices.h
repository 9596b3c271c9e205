// gradus devices: what there is to compute on.
#pragma once

namespace CLI {
class App;
}

namespace gradus::cli {

// Defines the command; running it sets `status`.
void add_devices(CLI::App& app, int& status);

}  // namespace gradus::cli
