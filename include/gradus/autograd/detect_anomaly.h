// Where the first value that is not finite comes from.
//
//   const autograd::DetectAnomaly scope;
//   loss = net(x); ... loss.backward();   // AutogradError at the operation that made the first nan or infinity
//
//   DetectAnomaly: log returned -inf at [3, 0] of [64, 10], in head.2 (LogSigmoid), in the backward of ...; its input 0
//   is finite, from 0 to 1.73
//
// As torch.autograd.detect_anomaly, which looks at gradients only and tells where in the program the forward operation
// was called. Here each result is looked at, forward and backward, and the message names the operation, the module in
// which it ran or was recorded, and the range of what it was given. A value that comes in from outside (data, a weight)
// is reported where it is first used. Infinities that are put in on purpose, as masks are, pass; a nan never does.
// It holds for its thread, and reads every result and every input once more.
#pragma once

#include <memory>

namespace gradus::autograd {

struct DetectAnomalyOptions {
  bool infinities = true;  // report these too, not nan alone
};

class DetectAnomaly {
 public:
  explicit DetectAnomaly(const DetectAnomalyOptions& options = {});
  ~DetectAnomaly();
  DetectAnomaly(const DetectAnomaly&) = delete;
  DetectAnomaly& operator=(const DetectAnomaly&) = delete;

 private:
  struct Detector;
  std::unique_ptr<Detector> detector_;
};

}  // namespace gradus::autograd
