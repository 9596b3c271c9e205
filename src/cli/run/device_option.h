// --device, of every command that computes.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace gradus::cli {

inline void add_device_option(CLI::App& app, std::string& device) {
  app.add_option("--device", device, "Where to compute: cpu, cuda or cuda:N; `gradus devices` lists what is there")
      ->capture_default_str();
}

}  // namespace gradus::cli
