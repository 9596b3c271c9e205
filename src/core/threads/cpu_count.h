// How many threads can run at once.
#pragma once

#include <string>

namespace gradus::core {

/// What OMP_NUM_THREADS asks for on the outermost level: "4", or "4,2". 0 where the text is missing or not such a list.
int openmp_thread_count(const char* text);

/// The processors that the quotas of control groups leave to this process, rounded up; 0 without a quota. `membership`
/// is the text of /proc/self/cgroup, `root` where the groups are mounted. Both versions of control groups.
int cgroup_cpu_count(const std::string& membership, const std::string& root);

/// The processors that this process may use: by its affinity, and by quotas. At least 1.
int cpu_count();

}  // namespace gradus::core
