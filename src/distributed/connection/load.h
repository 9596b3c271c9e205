// Plug-ins, which lie beside the library.
#pragma once

#include <string>

#include "distributed/connection/transport.h"

namespace gradus::distributed {

// Connects this process by libgradus_BACKEND.so. DistributedError, with what to do.
Transport* open_transport(const std::string& backend, const TransportConfig& config);

}  // namespace gradus::distributed
