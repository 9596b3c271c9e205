// Rows: sorting.
#include <algorithm>

#include "ops/op_table.h"

namespace gradus::test {

namespace {

Row row(const std::string& name, Function fn, std::vector<Sizes> cases, Reference reference) {
  return {.name = name,
          .fn = std::move(fn),
          .cases = std::move(cases),
          .reference = std::move(reference),
          .domains = {{-2, 2.1, {}, true}}};
}

}  // namespace

void add_sorting_rows(Rows& rows) {
  for (bool descending : {false, true}) {
    Row sorting = row(
        descending ? "sort descending" : "sort", [=](const Inputs& x) { return sort(x[0], -1, descending).first; },
        {{{3, 4}}, {{0, 4}}, {{1, 1}}}, along(-1, [=](std::vector<double> v) {
          std::sort(v.begin(), v.end());
          if (descending) std::reverse(v.begin(), v.end());
          return v;
        }));
    rows.push_back(sorting);
    Row top = row(
        descending ? "topk" : "topk smallest",
        [=](const Inputs& x) { return topk(x[0], x[0].size(1) / 2 + 1, 1, descending).first; },
        {{{3, 5}}, {{0, 4}}, {{1, 1}}},
        [=](const std::vector<Plain>& x) {
          const auto n = static_cast<std::size_t>(x[0].sizes[1]), k = n / 2 + 1;
          Plain y{{x[0].sizes[0], static_cast<std::int64_t>(k)}, {}};
          for (std::size_t i = 0; i + n <= x[0].values.size(); i += n) {
            std::vector<double> line(x[0].values.begin() + static_cast<std::ptrdiff_t>(i),
                                     x[0].values.begin() + static_cast<std::ptrdiff_t>(i + n));
            std::sort(line.begin(), line.end());
            if (descending) std::reverse(line.begin(), line.end());
            y.values.insert(y.values.end(), line.begin(), line.begin() + static_cast<std::ptrdiff_t>(k));
          }
          return y;
        });
    rows.push_back(top);
  }
}

}  // namespace gradus::test
