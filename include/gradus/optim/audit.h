// Who trains what, and the classic mistakes by name.
//
//   optim::Audit audit({{"G", G}, {"D", D}}, {g_optimizer, d_optimizer});
//   ... some steps of training ...
//   std::puts(audit.report().to_string().c_str());
//
// An audit watches from its construction to its destruction, every optimizer of the process that has parameters of
// these networks, also those made later. While it watches it costs time and a copy of the parameters of each step;
// while none does, training pays for one comparison per step. `optim::audit(models, optimizers)` looks once, and finds
// what can be seen without watching.
//
// The findings, by their rule:
//   unowned               trainable, but in no optimizer
//   two-owners            in two optimizers, which both step it
//   detached              in an optimizer, but no longer in its network: a layer was replaced
//   unreached             owned and trainable, but no backward reached it while its optimizer stepped
//   stale-gradient        a step used a gradient that holds what an earlier step had used already
//   foreign-gradient      left behind by a backward that was another optimizer's
//   moved-while-off       requires_grad is off, and yet momentum or decay moved it
//   drifting-statistics   the buffers of a module change though its parameters are not trained
//   momentum-lost         its optimizer went, and a new one started without the state
//   zero-rate             it was stepped with a rate of 0 only
//   idle-schedule         a schedule was stepped whose optimizer was not
//   half-tied             its memory is another parameter's too, or was: tied in one place only
#pragma once

#include <functional>
#include <memory>

#include <gradus/nn/module.h>
#include <gradus/optim/optimizer.h>

namespace gradus::optim {

// Networks by name. One alone needs none: `audit(net, {opt})`.
class AuditedModels {
 public:
  AuditedModels(const nn::Module& model) : models_{{"", model}} {}
  AuditedModels(std::initializer_list<std::pair<std::string, nn::Module>> models) : models_(models) {}

  auto begin() const { return models_.begin(); }
  auto end() const { return models_.end(); }
  bool empty() const { return models_.empty(); }

 private:
  std::vector<std::pair<std::string, nn::Module>> models_;
};
using AuditedOptimizers = std::vector<std::reference_wrapper<Optimizer>>;

struct AuditOwner {
  std::string optimizer;  // "Adam"
  std::size_t group;
  double lr;
};

struct AuditRow {
  std::string name;  // "G.gen.0.weight"
  Shape sizes;
  enum class Status { trainable, off, frozen } status;  // off: requires_grad is false
  std::vector<AuditOwner> owners;
  std::optional<double> gradient_norm, update_norm;  // of the last step seen, L2
  std::int64_t state_bytes = 0;
};

struct AuditFinding {
  std::string rule;
  std::vector<std::string> parameters;
  std::string message, remedy;
};

struct AuditReport {
  std::vector<AuditRow> rows;  // one per parameter
  std::vector<AuditFinding> findings;

  bool has(const std::string& rule) const;
  std::string to_string() const;  // a table, and below it what was found
};

class Audit {
 public:
  // ValueError if there is no network.
  explicit Audit(const AuditedModels& models, const AuditedOptimizers& optimizers = {});
  ~Audit();
  Audit(const Audit&) = delete;
  Audit& operator=(const Audit&) = delete;

  AuditReport report() const;

 private:
  friend AuditReport audit(const AuditedModels& models, const AuditedOptimizers& optimizers);
  struct Watch;
  std::unique_ptr<Watch> watch_;
};

AuditReport audit(const AuditedModels& models, const AuditedOptimizers& optimizers);

}  // namespace gradus::optim
