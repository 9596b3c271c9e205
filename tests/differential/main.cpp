// gradus_differential CASES.jsonl: what differential.py wrote, compared; a line for each difference, and a table.
#include <cstdio>
#include <exception>
#include <fstream>
#include <map>

#include "differential/differential.h"

namespace {

using namespace gradus::differential;

std::string name_of(const json& test) {
  for (const char* key : {"optimizer", "schedule"})
    if (test.contains(key)) return test[key];
  // The last step that is not a view of a leaf says what the case is about.
  return test["steps"].empty() ? "nothing" : test["steps"].back()["op"];
}

std::optional<std::string> run(const json& test) {
  try {
    return test.contains("optimizer")  ? run_optimizer(test)
           : test.contains("schedule") ? run_schedule(test)
                                       : run_program(test);
  } catch (const std::exception& e) {
    return std::string("refused: ") + e.what();
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::ifstream in(argc > 1 ? argv[1] : "");
  if (!in) {
    std::fputs("usage: gradus_differential CASES.jsonl\n", stderr);
    return 2;
  }
  struct Row {
    int cases = 0, different = 0, nearer = 0;
  };
  std::map<std::string, Row> table;
  for (std::string line; std::getline(in, line);) {
    const json test = json::parse(line);
    Row& row = table[test["kind"]];
    ++row.cases;
    if (const auto found = run(test)) {
      ++row.different;
      row.nearer += found->ends_with(kNearer);
      std::printf("%s\t%s\t%s\n", test["id"].dump().c_str(), name_of(test).c_str(), found->c_str());
    }
  }
  Row all;
  std::printf("\n%-34s %7s %10s %12s\n", "kind", "cases", "different", "ours nearer");
  for (const auto& [kind, row] : table) {
    std::printf("%-34s %7d %10d %12d\n", kind.c_str(), row.cases, row.different, row.nearer);
    all.cases += row.cases;
    all.different += row.different;
    all.nearer += row.nearer;
  }
  std::printf("%-34s %7d %10d %12d\n", "all", all.cases, all.different, all.nearer);
  return all.different == all.nearer ? 0 : 1;
}
