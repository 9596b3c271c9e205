// A record of what a run did to every parameter and buffer, as a file that others can verify.
//
//   training::Receipt receipt({{"G", G}, {"D", D}}, {{"g_opt", g_opt}, {"d_opt", d_opt}});
//   ... training ...
//   receipt.report().save("receipt.json");
//
//   const auto report = training::read_receipt("receipt.json");
//   std::puts(training::verify(report, G.state_dict(), "G").to_string().c_str());   // "frozen: unchanged bits ..."
//
// A receipt watches from its construction to its destruction. It identifies values by SHA-256 hashes of their bytes in
// row-major order, as Python's hashlib.sha256(x.numpy().tobytes()) computes them. Whether an optimizer changed a
// parameter that another one owns is checked at every step by the tensors' version counters. Around one step in 1,024,
// and around the first two of each optimizer and phase, it is also checked by hashes, which show changes that bypassed
// the library.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gradus/nn/state_dict.h>
#include <gradus/optim/control/audit.h>

namespace gradus::training {

struct ReceiptOptimizer {
  std::string name, type;               // "g_opt", "Adam"
  std::int64_t steps = 0, skipped = 0;  // skipped: because its clipping said so
  std::int64_t hashed_steps = 0;        // steps around which everything that it does not own was hashed
  // Parameters that its steps changed although it does not own them. There should be none.
  std::vector<std::string> moved_of_others;
};

struct ReceiptPhase {
  std::string name;
  std::int64_t steps = 0;  // of all optimizers
};

struct ReceiptRow {
  struct Owner {
    std::string optimizer;
    std::int64_t steps = 0;  // steps that changed the parameter
    double first_rate = 0, last_rate = 0, lowest_rate = 0, highest_rate = 0;
  };
  struct PhaseEnd {
    std::string phase, hash;           // of the values at the end of the phase
    std::int64_t trainable_steps = 0;  // steps of any optimizer while the parameter was trainable
  };
  std::string name;  // "G.gen.0.weight"
  bool buffer = false;
  std::string dtype;  // "float32"
  std::vector<std::int64_t> sizes;
  std::string before, after;  // hashes
  // Whether it was frozen or did not require a gradient at every step.
  bool frozen = false;
  std::vector<Owner> owners;
  std::int64_t changed_elsewhere = 0;  // how often a change other than by a step was found
  std::vector<PhaseEnd> phases;
};

struct ReceiptReport {
  std::vector<std::string> networks;
  std::vector<ReceiptRow> rows;
  std::vector<ReceiptOptimizer> optimizers;
  std::vector<ReceiptPhase> phases;
  std::int64_t steps = 0;    // of all optimizers
  std::int64_t resumed = 0;  // how often the run continued from a checkpoint
  // Parameters whose values, when the run continued, were not those with which it had stopped.
  std::vector<std::string> broken;

  // Whether no optimizer changed a parameter that it does not own.
  bool separate() const;
  std::string to_string() const;  // a table, and a summary of what it shows
  std::string to_json() const;    // with a checksum of everything else
  // The file is written completely or not at all; IoError.
  void save(const std::string& path) const;
};

// IoError for text that is not a receipt, is damaged or was edited, or has a later format.
ReceiptReport parse_receipt(const std::string& text, const std::string& file = "receipt");
ReceiptReport read_receipt(const std::string& path);

struct NamedOptimizer {
  std::string name;
  std::reference_wrapper<optim::Optimizer> optimizer;
};

class Receipt {
 public:
  // Watches these networks. Optimizers that are not in the list are named by their type. ValueError if there is no
  // network.
  explicit Receipt(const optim::AuditedModels& models, const std::vector<NamedOptimizer>& optimizers = {});
  ~Receipt();
  Receipt(const Receipt&) = delete;
  Receipt& operator=(const Receipt&) = delete;

  // Steps from here on belong to this phase. Without this call there is one phase, which has no name.
  void begin_phase(const std::string& name);
  ReceiptReport report() const;

  // For a run that continues: takes over the initial hashes, the steps and the phases from the receipt of its earlier
  // part. By the next step the parameters must have the values with which that part ended; those that differ are named
  // in `broken`. ValueError for networks other than those of the receipt.
  void resume(const ReceiptReport& before);

  struct Watch;  // internal

 private:
  std::unique_ptr<Watch> watch_;
};

// The result of comparing the tensors of a checkpoint with a receipt; names of parameters and buffers.
struct ReceiptVerdict {
  std::vector<std::string> frozen;   // frozen, with the same bits as before the run
  std::vector<std::string> trained;  // trained, with the bits that the run ended with
  std::vector<std::string> frozen_changed, trained_differ;
  // Of other sizes or another type: "w is float64 [2, 3], the receipt's is float32 [2, 3]".
  std::vector<std::string> unlike;
  std::vector<std::string> missing;     // not among the tensors
  std::vector<std::string> trespasses;  // "g_opt moved D.weight, which it does not own"

  bool frozen_unchanged() const { return frozen_changed.empty(); }
  bool holds() const;  // nothing differs, is missing or was changed by an optimizer that does not own it
  std::string to_string() const;
};
// Compares the tensors with the network of this name, or, without one, with all networks, whose names then come before
// those of their tensors. ValueError where the receipt has no such network.
ReceiptVerdict verify(const ReceiptReport& receipt, const nn::StateDict& tensors, const std::string& network = "");

}  // namespace gradus::training
