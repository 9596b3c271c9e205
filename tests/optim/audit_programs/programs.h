// Programs as people write them, each with one classic mistake and without it, by the kind of mistake. The test runs
// both; docs/audit/programs.md is their table.
#pragma once

#include <gradus/gradus.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace gradus::programs {

namespace F = nn::functional;
using optim::Audit;
using optim::AuditReport;

struct Program {
  int kind;  // the headings of docs/audit/programs.md
  std::string what, rule;
  std::function<AuditReport(bool mistake)> run;
  std::string says = {};  // somewhere in the finding
};
using Programs = std::vector<Program>;

Programs losses();        // 1 and 7
Programs modes();         // 2
Programs registration();  // 3
Programs steps();         // 4, 8, 11 and 12
Programs schedules();     // 5
Programs values();        // 6 and 13
Programs owners();        // 9, 10 and 14
struct CorrectProgram {
  std::string what;
  std::function<AuditReport()> run;
};
std::vector<CorrectProgram> correct();
// Written without a look at the rules.
Programs unseen();         // 1 to 7
Programs unseen_owners();  // 8 to 14
std::vector<CorrectProgram> unseen_correct();

// 64 samples of 4 numbers; labels of 3 classes, which can be learnt; targets for regressions.
struct Data {
  Tensor x, y, target;
  Data() {
    x = randn({64, 4});
    y = argmax(matmul(x, randn({4, 3})), 1);
    target = x.sum(1) + 0.1 * randn({64});
  }
  data::DataLoader loader(std::int64_t batch = 16) const {
    return data::DataLoader(data::TensorDataset(x, y), {.batch_size = batch, .shuffle = true, .seed = 1});
  }
};

struct Net : nn::Module {
  nn::Linear a = add("a", nn::Linear(4, 8)), b = add("b", nn::Linear(8, 3));
  Tensor forward(const Tensor& x) override { return b(relu(a(x))); }
};
// Training and evaluation differ for it.
struct Regularised : nn::Module {
  nn::Linear a = add("a", nn::Linear(4, 16));
  nn::BatchNorm1d norm = add("norm", nn::BatchNorm1d(16));
  nn::Dropout drop = add("drop", nn::Dropout(0.5));
  nn::Linear b = add("b", nn::Linear(16, 3));
  Tensor forward(const Tensor& x) override { return b(drop(relu(norm(a(x))))); }
};

// A plain loop: so many epochs over the data, step by step in PyTorch's order.
template <class Loss>
void train(optim::Optimizer& opt, const Data& data, int epochs, Loss&& loss) {
  for (int epoch = 0; epoch < epochs; ++epoch) {
    data::DataLoader loader = data.loader();
    loader.set_epoch(epoch);
    for (auto& [x, y] : loader) {
      opt.zero_grad();
      loss(x, y).backward();
      opt.step();
    }
  }
}

}  // namespace gradus::programs
