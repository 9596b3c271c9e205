#include "cli/commands/devices.h"

#include <fmt/format.h>
#include <gradus/core/device.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "text/table.h"

namespace gradus::cli {

namespace {

int run_devices(bool json) {
  const auto kinds = device_kinds();
  if (json) {
    auto all = nlohmann::ordered_json::array();
    for (const DeviceKind& kind : kinds)
      all.push_back({{"device", kind.name}, {"count", kind.count}, {"about", kind.about}});
    fmt::print("{}\n", all.dump(2));
    return 0;
  }
  Table table({{"device"}, {"count", true}, {"about"}});
  for (const DeviceKind& kind : kinds) table.add({kind.name, std::to_string(kind.count), kind.about});
  fmt::print("{}", table.to_string());
  return 0;
}

}  // namespace

void add_devices(CLI::App& app, int& status) {
  CLI::App& devices = *app.add_subcommand("devices", "List the devices, and why a kind of device is missing");
  const auto json = std::make_shared<bool>(false);
  devices.add_flag("--json", *json, "Print JSON");
  devices.callback([json, &status] { status = run_devices(*json); });
}

}  // namespace gradus::cli
