// A training step that a device records once and then repeats as a whole, as with torch.cuda.graph: the host asks for
// one piece of work instead of hundreds, which is what small networks wait for.
//
//   Tensor x = zeros({64, 784}, {.device = "cuda"}), y = zeros({64}, {.dtype = kInt64, .device = "cuda"});
//   GraphedStep step([&] {
//     optimizer.zero_grad();
//     const Tensor loss = nn::functional::cross_entropy(net(x), y);
//     loss.backward();
//     optimizer.step();
//     return loss;
//   });
//   for (const auto& [images, labels] : loader) {
//     x.copy_(images);  // into the memory that was recorded
//     y.copy_(labels);
//     const Tensor loss = step();
//     scheduler.step();
//   }
//
// A repeated step makes the same bits as a plain one: it draws new random numbers, and takes the optimizers' current
// rates, other options and step numbers. docs/devices.md says what a recording cannot contain, and what it does not
// see.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <gradus/tensor.h>

namespace gradus {

struct GraphedStepOptions {
  // How many calls run the function plainly before one records it: they make what is made once, such as the state of
  // optimizers. At least 1.
  int warmup = 3;
  // Tensors whose gradients the function computes for an optimizer outside of it. Those of optimizers that step within
  // the function are known.
  std::vector<Tensor> parameters = {};
};

class GraphedStep {
 public:
  // The function returns the loss, or any tensor, or an undefined one. It is called by the first calls of this object
  // alone; on the CPU, by all.
  explicit GraphedStep(std::function<Tensor()> step, const GraphedStepOptions& options = {});
  ~GraphedStep();
  GraphedStep(GraphedStep&& other) noexcept;
  GraphedStep& operator=(GraphedStep&& other) noexcept;

  // One step. The result is outside of every graph; once recorded, it is one tensor, which each step writes anew.
  //
  // Where something has changed that a repetition would not notice (parameters or their number, gradients that were
  // reset or not, state that was loaded, memory that was given back), nothing is repeated: the function runs plainly
  // once more, and the next call records it again. ValueError if that happens each time.
  //
  // While an audit, a receipt or a profiler watches, all calls run plainly.
  //
  // Error for a function that cannot be recorded, which names the call. Then optimizers, gradients and random numbers
  // are as before, and the function can be called plainly.
  Tensor operator()();

  bool is_recorded() const;          // whether the next call repeats, unless something has changed
  std::int64_t recordings() const;   // so far
  std::int64_t repetitions() const;  // steps that called no function
  // Gives back the recording with its memory. The next calls run plainly, as at the beginning.
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gradus
