// Who trains what, and the classic mistakes by name.
//
//   optim::Audit audit({{"G", G}, {"D", D}}, {g_optimizer, d_optimizer});
//   ... some steps of training ...
//   std::puts(audit.report().to_string().c_str());
//
// An audit watches from its construction to its destruction: every optimizer of the process that has parameters of
// these networks, also those made later, and what the thread that made it computes. It looks closely at the first 32
// steps and then at 8 of every 1,024; in between it only counts. While no audit lives, training pays for one comparison
// per step. `optim::audit(models, optimizers)` looks once, and finds what can be seen without watching.
//
// docs/audit.md explains each rule: the mistake, what the audit says, and the cure.
#pragma once

#include <functional>
#include <memory>

#include <gradus/nn/module.h>
#include <gradus/optim/optimizer.h>

namespace gradus::optim {

// Networks by name. One alone needs none: `audit(net, {opt})`.
class AuditedModels {
 public:
  struct Model {
    std::string name;
    std::shared_ptr<nn::detail::ModuleState> state;
    Model(std::string model_name, const nn::Module& model) : name(std::move(model_name)), state(model.state()) {}
    std::vector<NamedTensor> named_parameters() const;  // each once, under its first name
  };
  AuditedModels(const nn::Module& model) : models_{{"", model}} {}
  AuditedModels(std::initializer_list<Model> models) : models_(models) {}
  AuditedModels(std::vector<Model> models) : models_(std::move(models)) {}

  auto begin() const { return models_.begin(); }
  auto end() const { return models_.end(); }
  bool empty() const { return models_.empty(); }
  std::size_t size() const { return models_.size(); }

 private:
  std::vector<Model> models_;
};
using AuditedOptimizers = std::vector<std::reference_wrapper<Optimizer>>;

// wrong: the result of the training is affected. wasteful: the result is right, but work is done for nothing. advice:
// the practice is unusual, or the evidence may have another explanation.
enum class Severity { wrong, wasteful, advice };
const char* to_string(Severity severity);

struct AuditOptions {
  // Also name habits that often cost quality and are never errors: weight decay on biases and norms, a bias in front of
  // batch normalisation, Adam with an L2 penalty, inputs of very different scales, rates that went through float.
  bool habits = false;
};

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
  std::optional<double> gradient_norm, update_norm;  // L2, of the last step that was looked at closely
  std::int64_t state_bytes = 0;
};

struct AuditFinding {
  std::string rule;  // "stale-gradient"
  Severity severity;
  std::vector<std::string> parameters;  // or modules, schedules, optimizers
  std::string message;                  // what was seen
  std::string why;                      // why it matters
  std::string remedy;                   // in code
};

struct AuditReport {
  std::vector<AuditRow> rows;          // one per parameter
  std::vector<AuditFinding> findings;  // the most serious first
  std::vector<AuditFinding> expected;  // findings that expect() declared as intended
  std::int64_t steps = 0, looked = 0;  // steps of optimizers: all that were seen, and those examined closely

  bool has(const std::string& rule) const;
  const AuditFinding* find(const std::string& rule) const;  // null where it was not found
  // Whether there is a finding that is at least this serious.
  bool has(Severity at_least) const;
  std::string to_string() const;  // a table, and below it what was found
  std::string to_json() const;
};

class Audit {
 public:
  // ValueError if there is no network.
  explicit Audit(const AuditedModels& models, const AuditedOptimizers& optimizers = {},
                 const AuditOptions& options = {});
  ~Audit();
  Audit(const Audit&) = delete;
  Audit& operator=(const Audit&) = delete;

  // Declares something as intended: findings of this rule about names that match the pattern (see
  // gradus/core/pattern.h) are not reported. ValueError for a rule that does not exist.
  Audit& expect(const std::string& rule, const std::string& pattern = "*");
  AuditReport report() const;

  struct Watch;  // internal

 private:
  std::unique_ptr<Watch> watch_;
};

AuditReport audit(const AuditedModels& models, const AuditedOptimizers& optimizers, const AuditOptions& options = {});

// Every rule that a finding may name.
std::vector<std::string> audit_rules();

}  // namespace gradus::optim
