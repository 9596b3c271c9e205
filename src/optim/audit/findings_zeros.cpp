// Gradients that are exactly zero, and the operation at which they end.
#include <fmt/format.h>

#include "optim/audit/seeing.h"

namespace gradus::optim {

namespace {

struct Words {
  std::string why, remedy;
};
Words words_of(const std::string& operation) {
  if (is_one_of(operation, {"round", "floor", "ceil", "sign"}))
    return {operation + " is flat: its derivative is zero everywhere",
            "a straight-through gradient: x + (" + operation + "(x) - x).detach()"};
  if (operation == "mul")
    return {"a factor is zero: the weight of a loss, a mask, or a gate",
            "a weight or mask that is not zero; a gate that should learn is an nn::Parameter, not a buffer; what is "
            "meant to stay as it is: nn::freeze"};
  if (operation == "softmax" || operation == "log_softmax")
    return {"softmax over one value is constant, and so is one of scores that are far apart",
            "softmax over the dimension of the classes; scores divided by a temperature"};
  if (is_one_of(operation, {"clamp", "hardtanh", "maximum", "minimum"}))
    return {operation + " cuts off every value: nothing passes back through it",
            "wider limits, or a loss that bends instead (softplus, huber_loss)"};
  if (is_one_of(operation, {"where", "masked_fill", "masked_select"}))
    return {"the mask leaves nothing of it",
            "a mask that lets something through: true where a key takes part in "
            "scaled_dot_product_attention, and where it does not in nn::MultiheadAttention"};
  if (is_one_of(operation, {"sigmoid", "tanh"}))
    return {operation + " is saturated for every sample",
            "scale inputs and initial weights down, or normalise before it"};
  return {};
}

}  // namespace

// A bias in front of batch normalisation, or of a difference, has a gradient of zero by design.
void conclude_zero_gradients(const Conclusions& c) {
  const auto zeros = c.where([](const Audit::Watch::Watched& p) {
    return p.tensor.dim() >= 2 && p.reached >= 5 && p.reached_nonzero == 0 && p.tensor.requires_grad();
  });
  // The operation where most ended.
  const std::string* place = nullptr;
  const Audit::Watch::Note* most = nullptr;
  for (const auto& [where, note] : c.watch.ends)
    if (most == nullptr || note.count > most->count) place = &where, most = &note;
  if (most == nullptr) return c.add("zero-gradient", zeros);
  const Words words = words_of(most->text);
  c.add("zero-gradient", zeros, "the gradient was exactly zero every time: it ends at " + *place, words.why,
        words.remedy);
}

}  // namespace gradus::optim
