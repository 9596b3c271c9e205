#include "core/threads/cpu_count.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

namespace gradus::core {

namespace {

// Quota and period of one group, in microseconds. 0 where there is none ("max" or -1).
double cpus_of(const std::string& quota, const std::string& period) {
  double allowed = 0, every = 0;
  const auto number = [](const std::string& text, double& to) {
    std::istringstream in(text);
    return static_cast<bool>(in >> to) && std::isfinite(to) && to > 0;
  };
  return number(quota, allowed) && number(period, every) ? allowed / every : 0;
}

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

double quota_v1(const std::string& folder) {
  return cpus_of(first_line(folder + "/cpu.cfs_quota_us"), first_line(folder + "/cpu.cfs_period_us"));
}

double quota_v2(const std::string& folder) {
  const std::string line = first_line(folder + "/cpu.max");
  const auto space = line.find(' ');
  return space == std::string::npos ? 0 : cpus_of(line.substr(0, space), line.substr(space + 1));
}

bool has_item(const std::string& list, const std::string& item) {
  return ("," + list + ",").find("," + item + ",") != std::string::npos;
}

}  // namespace

int openmp_thread_count(const char* text) {
  if (text == nullptr) return 0;
  text += std::strspn(text, " \t");
  int count = 0;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), count);
  const char* rest = end + std::strspn(end, " \t");
  return error == std::errc() && count > 0 && (*rest == '\0' || *rest == ',') ? count : 0;
}

int cgroup_cpu_count(const std::string& membership, const std::string& root) {
  double least = 0;
  // A group's own quota holds, and that of each group around it. Within a container the mount shows the container's
  // group as its root, whatever the path says.
  const auto walk = [&](const std::string& mount, std::string path, double (*quota)(const std::string&)) {
    for (;; path.erase(path.rfind('/'))) {
      if (!path.empty() && path.back() == '/') path.pop_back();
      const double cpus = quota(mount + path);
      if (cpus > 0 && (least == 0 || cpus < least)) least = cpus;
      if (path.empty() || path[0] != '/') return;
    }
  };
  std::istringstream lines(membership);
  for (std::string line; std::getline(lines, line);) {  // number:controllers:path
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) walk(root, path, quota_v2);
    if (!has_item(controllers, "cpu")) continue;
    walk(root + "/" + controllers, path, quota_v1);
    if (controllers != "cpu") walk(root + "/cpu", path, quota_v1);
  }
  return static_cast<int>(std::ceil(std::min(least, 1e6)));
}

int cpu_count() {
  int count = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  // The kernel refuses a set that has no room for all processors of the machine.
  for (std::size_t sets = 1; sets <= 64; sets *= 2) {
    std::vector<cpu_set_t> set(sets);
    if (sched_getaffinity(0, sets * sizeof(cpu_set_t), set.data()) != 0) continue;
    count = CPU_COUNT_S(sets * sizeof(cpu_set_t), set.data());
    break;
  }
  std::ifstream file("/proc/self/cgroup");
  std::ostringstream membership;
  membership << file.rdbuf();
  const int quota = cgroup_cpu_count(membership.str(), "/sys/fs/cgroup");
  if (quota > 0) count = std::min(count, quota);
#endif
  return std::max(count, 1);
}

}  // namespace gradus::core
