// How this process was started: alone, by an MPI's mpirun, by torchrun.
#pragma once

#include <functional>
#include <string>

#include "distributed/connection/transport.h"

namespace gradus::distributed {

struct Launch {
  std::string backend = "none";  // "openmpi", "mpich", "gloo"
  int size = 1;                  // as the launcher says
  int local_rank = 0, local_size = 1;
  TransportConfig config;  // for Gloo
};

// What the variables of the environment say; null for one that is not set. `backend` is InitOptions::backend.
// ValueError for another one; DistributedError for variables that are missing, or are not numbers in range.
Launch launch_of(const std::function<const char*(const char*)>& variable, const std::string& backend);

}  // namespace gradus::distributed
