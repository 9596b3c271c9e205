#include "core/threads/cpu_count.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

namespace gradus::core {

namespace {

// The library's programs need no streams, which a small static one would carry for this alone.
std::string text_of(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  std::string text;
  char part[4096];
  for (std::size_t n = sizeof part; file != nullptr && n == sizeof part;) {
    n = std::fread(part, 1, sizeof part, file.get());
    text.append(part, n);
  }
  return text;
}

std::string first_line(const std::string& path) {
  const std::string text = text_of(path);
  return text.substr(0, text.find('\n'));
}

// Quota and period of one group, in microseconds. 0 where there is none ("max" or -1).
double cpus_of(std::string_view quota, std::string_view period) {
  const auto number = [](std::string_view text) {
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  const std::int64_t allowed = number(quota), every = number(period);
  return allowed > 0 && every > 0 ? static_cast<double>(allowed) / static_cast<double>(every) : 0;
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
  for (std::size_t begin = 0; begin < membership.size();) {  // number:controllers:path
    const std::size_t end = std::min(membership.find('\n', begin), membership.size());
    const std::string line = membership.substr(begin, end - begin);
    begin = end + 1;
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
  const int quota = cgroup_cpu_count(text_of("/proc/self/cgroup"), "/sys/fs/cgroup");
  if (quota > 0) count = std::min(count, quota);
#endif
  return std::max(count, 1);
}

}  // namespace gradus::core
