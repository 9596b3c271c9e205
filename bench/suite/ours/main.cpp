// The Gradus side of bench/compare: gradus_workloads WORKLOAD [THREADS [once CASE STEPS]], see serve.h.
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>

#include "ours/workloads.h"

namespace suite {

Makers& cases_of(const std::string& workload) {
  static std::map<std::string, Makers> all;
  return all[workload];
}

}  // namespace suite

int main(int argc, char** argv) {
  if (argc < 2 || suite::cases_of(argv[1]).empty()) {
    std::fprintf(stderr, "usage: gradus_workloads WORKLOAD [THREADS [once CASE STEPS]]\n");
    return 2;
  }
  if (argc > 2) gradus::set_num_threads(std::atoi(argv[2]));
  gradus::set_flush_denormal(true);
  gradus::manual_seed(1);
  // What a step computes, unless the case says it itself.
  const auto count_flops = [](suite::Case& one) {
    if (one.flops != 0) return;
    const gradus::FlopCounter counter;
    one.step();
    one.flops = static_cast<double>(counter.total());
  };
  const int skipped = std::min(argc - 1, 2);
  return suite::Server(suite::cases_of(argv[1]), count_flops).run(argc - skipped, argv + skipped);
}
