#include <gradus/detail/observer.h>
#include <gradus/random.h>
#include <gradus/training/graphed_step.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "core/memory/backend.h"
#include "core/recorded_step.h"
#include "optim/engine/step_log.h"
#include "optim/engine/watch.h"

namespace gradus {

namespace {

using optim::LoggedStep;
using optim::StepLog;

// Of default_generator() while a step is recorded, so that its draws are told from those of other generators.
constexpr std::uint64_t kRecordingSeed = 0x7b1c5ad0e6f3924d;

bool is_same(const Tensor& a, const Tensor& b) { return a.defined() == b.defined() && (!a.defined() || a.is_same(b)); }

void put_gradient(const Tensor& parameter, const Tensor& gradient) {
  if (!is_same(parameter.grad(), gradient)) parameter.set_grad(gradient);
}

// A parameter of the recorded step, with its gradient before and after it.
struct Recalled {
  Tensor parameter, before, after;
  bool required;              // a gradient
  bool had_gradient = false;  // before
  bool went_on = false;       // with the gradient that was there, which another one cannot stand for

  // Of each gradient, the tensors that the optimizers took.
  void end(const std::vector<LoggedStep>& steps) {
    after = parameter.grad();
    had_gradient = before.defined();
    went_on = had_gradient && is_same(before, after);
    for (const LoggedStep& step : steps)
      for (const auto& [of, gradient] : step.gradients)
        went_on = went_on || (had_gradient && of.is_same(parameter) && is_same(before, gradient));
    if (!went_on) before = Tensor();  // for its memory
  }

  // Whether the gradient is as the recorded step found it, where that makes a difference.
  bool is_as_found() const {
    const Tensor now = parameter.grad();
    return parameter.requires_grad() == required && (had_gradient || !now.defined()) &&
           (!went_on || is_same(now, before));
  }
};

}  // namespace

struct __attribute__((visibility("hidden"))) GraphedStep::State {
  std::function<Tensor()> step;
  GraphedStepOptions options;

  Device device;                  // as of the last plain call
  std::vector<LoggedStep> steps;  // of optimizers, in the last plain call or in the recording
  core::HostCopies copies;        // of the last plain call
  int plain_calls;                // that are left
  Tensor result;
  std::vector<Recalled> gradients;
  std::uint64_t drawn = 0;  // blocks of random numbers
  std::unique_ptr<core::Recorded> recorded;
  std::int64_t recordings = 0, repetitions = 0;
  int useless = 0;  // recordings in a row that were never repeated
  bool repeated = false;

  State(std::function<Tensor()> s, const GraphedStepOptions& o)
      : step(std::move(s)), options(o), plain_calls(o.warmup) {}

  Tensor call_plainly();
  void record();
  bool repeat();
  void forget();
  std::vector<Tensor> known_parameters() const;
};

std::vector<Tensor> GraphedStep::State::known_parameters() const {
  std::vector<Tensor> all = options.parameters;
  for (const LoggedStep& one : steps)
    for (const auto& [parameter, gradient] : one.gradients) all.push_back(parameter);
  std::unordered_set<const void*> seen;
  std::erase_if(all, [&](const Tensor& x) { return !x.defined() || !seen.insert(x.impl()).second; });
  return all;
}

Tensor GraphedStep::State::call_plainly() {
  StepLog log(StepLog::Phase::plain);
  copies.clear();
  const core::HostCopiesScope scope(copies);
  const Tensor made = step();
  if (recorded != nullptr) return made.defined() ? made.detach() : made;
  steps = std::move(log.steps);
  for (LoggedStep& one : steps)
    for (auto& [parameter, gradient] : one.gradients) gradient = Tensor();  // for its memory
  const std::vector<Tensor> parameters = known_parameters();
  device = !parameters.empty() ? parameters[0].device() : made.defined() ? made.device() : kCPU;
  if (device != kCPU && plain_calls > 0) --plain_calls;
  return made.defined() ? made.detach() : made;
}

void GraphedStep::State::record() {
  Generator& generator = default_generator();
  const Generator before = generator;
  gradients.clear();
  for (const Tensor& p : known_parameters())
    gradients.push_back({.parameter = p, .before = p.grad(), .after = {}, .required = p.requires_grad()});
  StepLog log(StepLog::Phase::recording, device);
  try {
    generator = Generator(kRecordingSeed);
    recorded = core::backend(device.type)->record(device.index, kRecordingSeed, [&] {
      const core::RecordingScope scope(copies);
      const Tensor made = step();
      result = made.defined() ? made.detach() : made;
    });
    for (const LoggedStep& one : log.steps) {
      const auto known = [&](const LoggedStep& earlier) { return earlier.optimizer == one.optimizer; };
      if (std::none_of(steps.begin(), steps.end(), known)) {
        throw Error(std::string("GraphedStep: ") + one.optimizer->name() +
                    " steps when the function is recorded, and did not when it was called before");
      }
    }
    drawn = generator.offset();
    generator = before;
    if (!recorded->launch(before.seed(), generator.advance(drawn)))
      throw Error("GraphedStep: memory that the step uses was given back while it was recorded");
  } catch (...) {
    log.undo();
    generator = before;
    for (const Recalled& one : gradients) put_gradient(one.parameter, one.before);
    forget();
    throw;
  }
  steps = std::move(log.steps);
  for (Recalled& one : gradients) one.end(steps);
  ++recordings;
  repeated = false;
}

bool GraphedStep::State::repeat() {
  const auto possible = [](const LoggedStep& one) { return one.is_possible(); };
  const auto found = [](const Recalled& one) { return one.is_as_found(); };
  if (!std::all_of(steps.begin(), steps.end(), possible)) return false;
  if (!std::all_of(gradients.begin(), gradients.end(), found)) return false;
  Generator& generator = default_generator();
  const Generator before = generator;
  std::vector<Tensor> current;
  for (const Recalled& one : gradients) current.push_back(one.parameter.grad());
  StepLog log(StepLog::Phase::repeating);
  const auto give_up = [&] {
    recorded->cancel();
    log.undo();
    generator = before;
    for (std::size_t i = 0; i < gradients.size(); ++i) put_gradient(gradients[i].parameter, current[i]);
  };
  bool launched = false;
  try {
    recorded->prepare();
    for (const LoggedStep& one : steps) {
      for (const auto& [parameter, gradient] : one.gradients) put_gradient(parameter, gradient);
      one.optimizer->step();
    }
    launched = recorded->launch(before.seed(), generator.advance(drawn));
  } catch (...) {
    give_up();
    throw;
  }
  if (!launched) {
    give_up();
    return false;
  }
  for (const Recalled& one : gradients) put_gradient(one.parameter, one.after);
  ++repetitions;
  repeated = true;
  return true;
}

void GraphedStep::State::forget() {
  recorded.reset();
  result = Tensor();
  gradients.clear();
}

GraphedStep::GraphedStep(std::function<Tensor()> step, const GraphedStepOptions& options) {
  if (step == nullptr) throw ValueError("GraphedStep: needs a function, got none");
  if (options.warmup < 1)
    throw ValueError("GraphedStep: warmup must be at least 1, got " + std::to_string(options.warmup));
  state_ = std::make_unique<State>(std::move(step), options);
}

GraphedStep::~GraphedStep() = default;
GraphedStep::GraphedStep(GraphedStep&& other) noexcept = default;
GraphedStep& GraphedStep::operator=(GraphedStep&& other) noexcept = default;

Tensor GraphedStep::operator()() {
  State& s = *state_;
  if (StepLog::current() != nullptr) throw ValueError("GraphedStep: a step cannot be part of another one");
  // Audits, receipts and profilers see each operation.
  if (detail::is_watched() || optim::watcher_count.load(std::memory_order_relaxed) != 0) return s.call_plainly();
  if (s.recorded != nullptr) {
    if (s.repeat()) return s.result;
    s.useless = s.repeated ? 0 : s.useless + 1;
    s.forget();
    s.plain_calls = 1;
    if (s.useless == 2) {
      s.useless = 0;
      throw ValueError(
          "GraphedStep: what the step uses is another one at each call: parameters, gradients or memory; write new "
          "inputs into the tensors that it uses with copy_");
    }
  }
  if (s.device == kCPU || s.plain_calls > 0) return s.call_plainly();
  s.record();
  return s.result;
}

bool GraphedStep::is_recorded() const { return state_->recorded != nullptr; }
std::int64_t GraphedStep::recordings() const { return state_->recordings; }
std::int64_t GraphedStep::repetitions() const { return state_->repetitions; }

void GraphedStep::reset() {
  state_->forget();
  state_->plain_calls = state_->options.warmup;
}

}  // namespace gradus
