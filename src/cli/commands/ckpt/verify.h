// gradus verify: what a checkpoint's tensors say about a run's receipt.
#pragma once

#include <cstdint>
#include <string>

namespace gradus::cli {

struct VerifyOptions {
  std::string receipt, checkpoint;
  std::string network;       // of the receipt's; empty: those that the checkpoint holds
  std::string at;            // the part of the checkpoint, as `ckpt show` names it; empty: found by names
  std::int64_t memory = 0;   // as of ckpt_show
  bool frozen_only = false;  // whether what was trained may differ
};
// 0 if all holds, 1 if not. IoError and ValueError for what cannot be compared: no receipt, none of its names.
int verify_receipt(const VerifyOptions& options);

}  // namespace gradus::cli
