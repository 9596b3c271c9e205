// What a run did to every parameter and buffer, as a file that others can check.
//
//   training::Receipt receipt({{"G", G}, {"D", D}}, {{"g_opt", g_opt}, {"d_opt", d_opt}});
//   ... training ...
//   receipt.report().save("receipt.json");
//
//   const auto report = training::read_receipt("receipt.json");
//   std::puts(training::verify(report, G.state_dict(), "G").to_string().c_str());   // "frozen: unchanged bits ..."
//
// A receipt watches from its construction to its destruction. What it says of bits are SHA-256 hashes of the row-major
// values, which hashlib computes too: hashlib.sha256(x.numpy().tobytes()). That no optimizer moved what another owns is
// seen at each step from the versions that every change of a tensor counts up, and around a step of each 1,024 and the
// first two of each optimizer and phase from hashes, which see also what was written past the library.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gradus/nn/state_dict.h>
#include <gradus/optim/audit.h>

namespace gradus::training {

struct ReceiptOptimizer {
  std::string name, type;               // "g_opt", "Adam"
  std::int64_t steps = 0, skipped = 0;  // skipped: by its clipping
  std::int64_t hashed_steps = 0;        // around which all that it does not own was hashed
  std::vector<std::string>
      moved_of_others;  // parameters that it does not own and that its steps changed; none is right
};

struct ReceiptPhase {
  std::string name;
  std::int64_t steps = 0;  // of all optimizers
};

struct ReceiptRow {
  struct Owner {
    std::string optimizer;
    std::int64_t steps = 0;  // those that changed it
    double first_rate = 0, last_rate = 0, lowest_rate = 0, highest_rate = 0;
  };
  struct PhaseEnd {
    std::string phase, hash;           // the bits at its end
    std::int64_t trainable_steps = 0;  // of any optimizer, while it was trainable
  };
  std::string name;  // "G.gen.0.weight"
  bool buffer = false;
  std::string dtype;  // "float32"
  std::vector<std::int64_t> sizes;
  std::string before, after;  // hashes
  // Whether it was frozen, or did not require a gradient, at every step.
  bool frozen = false;
  std::vector<Owner> owners;
  std::int64_t changed_elsewhere = 0;  // times that it was found changed by something other than a step
  std::vector<PhaseEnd> phases;
};

struct ReceiptReport {
  std::vector<std::string> networks;
  std::vector<ReceiptRow> rows;
  std::vector<ReceiptOptimizer> optimizers;
  std::vector<ReceiptPhase> phases;
  std::int64_t steps = 0;    // of all optimizers
  std::int64_t resumed = 0;  // times that the run went on from a checkpoint
  // Parameters whose bits, when the run went on, were not those that it had stopped with.
  std::vector<std::string> broken;

  // Whether no optimizer changed what it does not own.
  bool separate() const;
  std::string to_string() const;  // a table, and what it proves
  std::string to_json() const;    // with a checksum over the rest
  // Written whole or not at all; IoError.
  void save(const std::string& path) const;
};

// IoError for what is not a receipt, is damaged or was edited, and for one of a later format.
ReceiptReport parse_receipt(const std::string& text, const std::string& file = "receipt");
ReceiptReport read_receipt(const std::string& path);

struct NamedOptimizer {
  std::string name;
  std::reference_wrapper<optim::Optimizer> optimizer;
};

class Receipt {
 public:
  // Of these networks; optimizers that are not named go by their type. ValueError if there is no network.
  explicit Receipt(const optim::AuditedModels& models, const std::vector<NamedOptimizer>& optimizers = {});
  ~Receipt();
  Receipt(const Receipt&) = delete;
  Receipt& operator=(const Receipt&) = delete;

  // From here on steps belong to this phase. A receipt that is never told has one without a name.
  void begin_phase(const std::string& name);
  ReceiptReport report() const;

  // A run that goes on: takes the hashes before, the steps and the phases from what it had come to. Parameters must
  // have the values of then by the next step; those that differ are named in `broken`. ValueError for networks other
  // than those of the receipt.
  void resume(const ReceiptReport& before);

  struct Watch;  // what it knows; the library's own

 private:
  std::unique_ptr<Watch> watch_;
};

// What a checkpoint's tensors say about a receipt.
struct ReceiptVerdict {
  std::vector<std::string> frozen;   // unchanged bits, from before the run to these tensors
  std::vector<std::string> trained;  // as the run left them
  std::vector<std::string> frozen_changed, trained_differ;
  std::vector<std::string>
      unlike;  // other sizes or another type: "w is float64 [2, 3], the receipt's is float32 [2, 3]"
  std::vector<std::string> missing;     // not among the tensors
  std::vector<std::string> trespasses;  // "g_opt moved D.weight, which it does not own"

  bool frozen_unchanged() const { return frozen_changed.empty(); }
  bool holds() const;  // nothing differs, nothing is missing, nobody trespassed
  std::string to_string() const;
};
// Of the network of this name, or of all, by names with the network's in front. ValueError where the receipt has no
// such network.
ReceiptVerdict verify(const ReceiptReport& receipt, const nn::StateDict& tensors, const std::string& network = "");

}  // namespace gradus::training
