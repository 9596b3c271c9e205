// Who looks on while a run trains: the audit of --audit, and the receipt of --receipt.
#pragma once

#include <gradus/optim/control/audit.h>
#include <gradus/training/receipt.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "optim/audit/names.h"

namespace gradus::cli {

// What is watched, and how findings about it speak.
struct Watched {
  optim::AuditedModels networks;
  std::vector<training::NamedOptimizer> optimizers;
  std::vector<std::pair<std::string, std::string>> expected = {};  // rule, pattern: what is meant
  // Puts a finding into the words of another language than C++; names that it takes out are not told.
  std::function<void(optim::AuditFinding&)> words = nullptr;
};

class RunWatch {
 public:
  RunWatch(Watched watched, bool audit, std::string receipt_file)
      : watched_(std::move(watched)), audits_(audit), receipt_file_(std::move(receipt_file)) {}

  // As text for a checkpoint; what was loaded is gone on from in begin().
  std::string save_receipt() const;
  void load_receipt(const std::string& text);
  // The networks are as training finds them.
  void begin(std::int64_t step);
  void begin_phase(const std::string& name);
  // The first call prints and writes what the audit has found; end() does so again.
  void end_epoch(const std::string& audit_file);
  void end(const std::string& audit_file);

 private:
  void tell(const std::string& when, const char* key, const std::string& audit_file);

  Watched watched_;
  bool audits_ = false, told_ = false;
  std::string receipt_file_;  // empty: none
  std::string saved_receipt_;
  std::optional<optim::OptimizerNames> names_;
  std::optional<optim::Audit> audit_;
  std::optional<training::Receipt> receipt_;
  nlohmann::ordered_json findings_;
  std::int64_t since_ = 0;
};

}  // namespace gradus::cli
