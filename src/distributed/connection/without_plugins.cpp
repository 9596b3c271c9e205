// What stands in for load.cpp in a build without GRADUS_DISTRIBUTED.
#include <gradus/distributed.h>

#include "distributed/connection/load.h"

namespace gradus::distributed {

Transport* open_transport(const std::string& backend, const TransportConfig&) {
  throw DistributedError("init: this process was started for " + backend +
                         ", and this build of Gradus connects no processes (GRADUS_DISTRIBUTED is off)");
}

}  // namespace gradus::distributed
