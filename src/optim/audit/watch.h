// What an audit knows. watch.cpp and seen*.cpp gather it; findings_*.cpp draw the conclusions.
#pragma once

#include <gradus/detail/observer.h>
#include <gradus/optim/control/audit.h>

#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "autograd/gradient_sink.h"
#include "optim/audit/names.h"
#include "optim/engine/watch.h"

namespace gradus::optim {

// What an audit computes while this lives is not looked at.
struct Busy {
  std::atomic<int>& count;
  explicit Busy(std::atomic<int>& busy) : count(busy) { ++count; }
  ~Busy() { --count; }
};

struct __attribute__((visibility("hidden"))) Audit::Watch : Watcher,
                                                            gradus::detail::Observer,
                                                            gradus::detail::GradientSink {
  using Id = std::size_t;  // of an optimizer: its place in `optimizers`
  static constexpr Id kNone = std::numeric_limits<Id>::max();
  using Pass = std::int64_t;  // backward passes, numbered
  static constexpr std::int64_t kFirstSteps = 32, kWindow = 8, kPeriod = 1024;

  // A parameter, and the story of its gradient since that was last cleared.
  struct Watched {
    Tensor tensor;
    std::string name, model;

    std::vector<Pass> held;      // the passes that .grad holds now
    std::vector<Pass> consumed;  // those of them that a step has used, and by whom
    std::vector<Id> consumed_by;
    Tensor used;  // the gradient that was used last, and its version then
    std::uint32_t used_version = 0;
    std::uint32_t version_at_arrival = 0;
    bool arrived_nonzero = false;  // since it was cleared

    std::int64_t reached = 0, reached_nonzero = 0;  // gradients that arrived
    std::int64_t chances = 0;                       // steps of its optimizers at which one could have
    std::int64_t off_steps = 0, off_run = 0;        // steps of its optimizers while requires_grad was off
    std::int64_t frozen_steps = 0;                  // and while it was frozen
    std::int64_t still = 0, moved = 0;              // steps with a gradient and a rate that left it or changed it
    std::int64_t zero_rate_steps = 0, zero_rate_run = 0, rated_steps = 0;
    std::int64_t cleared_unused = 0;   // gradients that were cleared with nobody having stepped
    std::int64_t unused_by_step = 0;   // steps that found a gradient cleared that had arrived for them
    std::int64_t large_updates = 0;    // steps that moved it by more than its norm
    std::int64_t tiny_updates = 0;     // steps that moved it by less than a ten-millionth of its norm
    std::int64_t clipped_to_zero = 0;  // steps that found its gradient cleared by a clipping
    std::uint64_t clipped_at = 0;      // the interval of the last one
    std::int64_t changed_between = 0;  // steps before which it had been changed by something else
    std::uint32_t start_version = 0, version_after_step = 0;
    bool stepped = false;
    bool on_the_way = false;                     // as wasted, but the pass went on to what was stepped
    std::int64_t arrival = 0;                    // of its last gradient, counted over all
    bool wasted = false;                         // holds or held gradients of a pass that was for another optimizer
    bool mixed = false;                          // was stepped with such a gradient in it
    bool has_state = false, lost_state = false;  // of the optimizer that stepped it last
    Id stepped_by = kNone;
    double largest_gradient = 0, first_gradient = -1;
    double start_norm = 0;
    std::optional<double> gradient_norm, update_norm;
  };

  struct Schedule {
    std::string name;
    std::int64_t at = 0;                    // the optimizer's steps when it was last stepped
    std::int64_t count = 0;                 // its steps since then
    bool first = false;                     // stepped before the optimizer ever was
    std::int64_t epochs = 0, in_epoch = 0;  // times through the data begun by then, and its steps since
    std::int64_t most_in_epoch = 0;
    std::string option = {};
    std::int64_t calls = 0, twice = 0;  // and how often a second one came with no step of the optimizer between
    std::int64_t skipped = 0;           // the optimizer's skipped steps then
    std::int64_t together = 0;          // calls beside one of another schedule of the same option
    std::string partner = {};
  };
  struct Metric {
    bool falls;
    std::int64_t count = 0, better = 0, worse = 0, reductions = 0;
    double first = 0, last = 0, first_rate = 0;
  };

  struct Known {
    Optimizer* optimizer = nullptr;  // null: gone
    std::string name = {}, type = {};
    bool given = false;
    std::int64_t steps = 0, looked = 0;
    std::int64_t without_gradients = 0;  // steps at which no parameter had one, in a row
    std::int64_t nothing_on = 0;         // steps at which every parameter was off or frozen, in a row
    std::int64_t skipped_at_start = 0;
    std::int64_t micro_steps = 0;          // steps over the same number, at least 3, of unscaled passes
    bool started = false;                  // had stepped before the audit began
    bool resumed_without_state = false;    // its schedule was at a later step when it had no state
    std::int64_t resumed_at = 0;           // it had made so many steps when its schedule began
    std::string restarted = {};            // that schedule
    std::int64_t closure_adds = 0;         // passes of a closure on top of the one before
    std::set<std::string> unclipped = {};  // parameters with gradients that a clipping of the others left out
    std::map<const void*, Schedule> schedules = {};
    std::map<const void*, Metric> metrics = {};
    std::vector<std::pair<Watched*, Tensor>> before = {};  // while it steps: the values before
  };

  struct Mode {  // of a network
    bool evaluates = false, known = false;
    std::int64_t run = 0;                             // steps in a row that followed a forward in evaluation
    std::int64_t evaluated = 0, steps = 0;            // such steps, and all
    std::uint64_t unrecorded = 0;                     // the interval of a forward in training mode that nobody recorded
    std::set<std::uint64_t> training_intervals = {};  // those with a forward in training mode, the first few
    // Recorded forwards in training mode, by the number of the node: whether their scores were compared, and whether
    // a backward came by.
    struct Recorded {
      std::uint64_t interval = 0;
      bool measured = false, used = false;
    };
    std::map<std::uint64_t, Recorded> recorded = {};
  };
  struct Units {  // of one activation of a layer
    std::int64_t seen = 0, dead = 0, dead_run = 0, saturated = 0;
    double share = 0;
  };
  struct Stranger {  // a leaf that requires a gradient and belongs to no network
    Tensor tensor;
    std::string place;
    std::set<Pass> passes;
    std::uint32_t version = 0;
    bool changed = false;
  };
  struct PassInfo {
    std::vector<Id> steppers;    // who stepped before the next one
    std::int64_t last_used = 0;  // the arrival of what they stepped on that came last
    bool strangers = false;
    bool scaled = false;  // its root was divided
  };
  struct Candidate {  // p was stepped with `pass` as the latest, and holds an earlier one that `other` stepped on
    const void* parameter;
    Id other;
    Pass pass;
  };
  struct Note {  // of a loss or an operation: what was seen, the first time and how often
    std::string text;
    std::int64_t count = 0, first_step = 0;
  };
  struct NotFinite {
    std::string what;  // "the loss", "the gradient of a.weight"
    std::int64_t step = 0;
  };
  struct Inner {  // the first parameter of a layer that belongs to no network, and the forwards in which it was met
    Tensor first;
    std::int64_t begun, last;
  };

  Watch(const AuditedModels& audited, const AuditedOptimizers& given, const AuditOptions& options, bool live);
  ~Watch() override;

  // Of optimizers and schedules.
  void before_step(Optimizer& optimizer) override;
  void after_step(Optimizer& optimizer) override;
  void after_schedule(const void* schedule, const std::string& name, const std::string& option,
                      Optimizer& optimizer) override;
  void after_metric(const void* plateau, Optimizer& optimizer, double metric, bool falls, bool reduced) override;
  void clipped(std::span<const Tensor> parameters) override;
  void gone(const Optimizer& optimizer) override;

  // While it looks closely: of gradients, and of what the thread computes.
  void arriving(const gradus::detail::TensorImpl* leaf, const Tensor& grad) override;
  void begin_pass(std::span<const Tensor> roots, bool captures) override;
  void begin_loss(const char* name, const Tensor& input, const Tensor& target) override;
  void begin_layer(const gradus::detail::Layer& layer) override;
  void end_layer(const gradus::detail::Layer& layer, const Tensor* result) override;
  void end_operation(const gradus::detail::Operation& operation) override;
  void end_backward(const Node& node, std::span<const Tensor> gradients) override;

  AuditReport report() const;
  // Whether the other optimizer of a candidate has not stepped on its pass.
  bool is_mixed(const Candidate& candidate) const;

  // Every parameter under each of its names; tied ones have several.
  std::vector<nn::NamedTensor> all_names() const;
  std::int64_t step_number() const { return total_steps + 1; }
  void note(std::map<std::string, Note>& notes, const std::string& key, const std::string& text);

  AuditedModels models;
  AuditOptions options;
  std::vector<std::pair<std::string, std::string>> expectations;  // rule, pattern
  bool watching, looking = false;
  mutable std::mutex mutex;
  std::thread::id thread = std::this_thread::get_id();
  std::unordered_map<const void*, Watched> parameters;
  std::vector<const void*> order;
  std::vector<Known> optimizers;
  std::vector<std::string> elsewhere;               // given, but owning nothing of the networks
  std::unordered_set<const void*> owned_elsewhere;  // what other optimizers own
  std::vector<nn::NamedTensor> names_at_start;
  std::vector<std::pair<std::string, std::string>> alike_at_start;  // different parameters with the same values
  std::vector<std::string> constant_at_start;
  std::unordered_map<const void*, std::pair<Tensor, std::uint32_t>> buffer_versions;
  std::map<std::string, Mode> modes;
  std::unordered_map<const void*, Stranger> strangers;
  std::map<Pass, PassInfo> passes;
  std::vector<Candidate> candidates;
  std::set<std::uint64_t> roots_of_interval;  // by the number of the node
  std::uint64_t interval = 1;                 // between two steps of any optimizer
  std::int64_t total_steps = 0, looked_steps = 0, foreign_steps = 0;
  Pass pass = 0;
  std::int64_t arrivals = 0, epochs_at_start = 0;
  Id stepping = kNone;
  bool any_lost = false;
  std::map<std::string, Note> losses, broadcasts, validations, clips, dropouts;
  std::map<std::string, Note> batch_statistics, averages, kept_graphs, unused_recordings, leaf_losses;
  std::map<std::string, Note> own_differences;  // of parameters and what was kept of them without clone()
  std::map<std::string, Note> ends;             // operations from which only zeros went on backwards
  // Forwards in evaluation mode that were recorded, by the number of the node, until a backward comes by.
  std::map<std::uint64_t, std::pair<std::string, std::uint64_t>> evaluations;
  std::unordered_map<const void*, std::uint64_t> sums;  // of losses, by their address: the interval of the latest
  std::map<std::string, std::pair<std::int64_t, std::uint64_t>> unrecorded_runs;  // intervals, by network; the last
  std::size_t own_loads_at_start = 0;
  // Largest scores of forwards in training mode that nobody recorded, by network: validations, if they do not become
  // the target of a loss before the next step (pseudo-labels).
  std::vector<std::pair<std::string, Tensor>> compared;
  std::map<const Optimizer*, std::int64_t> foreign;  // steps of optimizers that have nothing of the networks
  std::map<std::string, std::int64_t> idle_foreign;  // steps of their schedules, while they had made none
  std::vector<Tensor> outer;  // of this interval: [N, N] made of [N, 1] and [N] where nothing was recorded
  std::unordered_set<const void*> modules;                // all that belong to the networks
  std::map<std::string, std::vector<Inner>> made_inside;  // by type of layer
  std::set<std::string> inner_stepped;                    // directly, past the Lookahead around them
  std::int64_t twice = 0;                                 // backwards of a loss that had been differentiated
  std::map<std::string, Units> units;
  std::map<std::string, std::int64_t> shared_copies;  // looked steps at which somebody else held all its memory
  std::map<std::string, std::int64_t> holders;
  std::vector<double> input_scales;
  std::set<std::string> biases_before_norm;
  std::optional<NotFinite> not_finite;
  std::optional<NotFinite> not_finite_layer, not_finite_operation;
  std::optional<std::int64_t> not_finite_input;  // the step

  // Parameters, and modules, that a finding names.
  std::set<const void*> stale, moved_off, lost, shared;
  std::set<std::string> drifting;

 private:
  bool on_thread() const { return std::this_thread::get_id() == thread; }
  void look(bool closely);
  void refresh();
  Id known(Optimizer& optimizer);
  void name_apart(Known& added);
  void forget_gradient(Watched& p, bool count);
  void close_pass();
  void walk(const Ref<Node>& root, PassInfo& info);
  void meet(const Tensor& leaf, const Node& node);
  void compare_statistics();
  void compare_modes(Optimizer& optimizer);
  void compare_holders();
  void forget_recorded();
  void meet_inside(const gradus::detail::Layer& layer);
  void note_measured(const Tensor& scores);
  void note_argmax(const gradus::detail::Operation& op);
  void note_sum(const gradus::detail::Operation& op);
  void note_not_finite(const gradus::detail::Operation& op);
  void note_own_difference(const gradus::detail::Operation& op);
  void note_broadcast(const gradus::detail::Operation& op);
  void note_bias_before_norm(const gradus::detail::Operation& op);
  void note_input_scale(const gradus::detail::Operation& op);
  void note_units(const gradus::detail::Operation& op);
  void look_at_start();
  void found_not_finite(const std::string& what);

  mutable std::atomic<int> busy_{0};  // what is computed here is not looked at
  bool observing_ = false;            // its thread
  int layer_depth_ = 0, activation_ = 0;
  std::int64_t forward_ = 0;  // calls of outermost modules
  bool layer_records_ = true, layer_known_ = false;
  bool suspects_ = false;                 // some parameter has had nothing but zeros for gradients
  std::unordered_set<const Node*> live_;  // those of the pass that a gradient other than zero has reached
};

bool owns(const Optimizer& optimizer, const Tensor& parameter);
// Calls fn(state, path) for a module and all that it holds.
void visit_states(const nn::detail::ModuleState& state, const std::string& path,
                  const std::function<void(const nn::detail::ModuleState&, const std::string&)>& fn);
// Whether training and evaluation differ for what a module holds: it drops out or normalises by batches.
bool depends_on_mode(const nn::detail::ModuleState& state);
// Whether all of that evaluates.
bool evaluates(const nn::detail::ModuleState& state);
double norm_of(const Tensor& x);

// The conclusions, family by family.
struct Conclusions {
  const Audit::Watch& watch;
  std::vector<AuditFinding>& findings;
  void add(const char* rule, std::vector<std::string> names, std::string message = {}) const;
  // With another reason or cure than the rule's own, where they are given.
  void add(const char* rule, std::vector<std::string> names, std::string message, std::string why,
           std::string remedy) const;
  std::vector<std::string> named(const std::set<const void*>& found) const;
  template <class Test>
  std::vector<std::string> where(const Test& test) const {
    std::vector<std::string> names;
    for (const void* impl : watch.order)
      if (const auto& p = watch.parameters.at(impl); test(p)) names.push_back(p.name);
    return names;
  }
};
void conclude_owners(const Conclusions& c, const std::vector<AuditRow>& rows);
void conclude_gradients(const Conclusions& c);
void conclude_schedules(const Conclusions& c);
void conclude_values(const Conclusions& c);
void conclude_not_finite(const Conclusions& c);
void conclude_zero_gradients(const Conclusions& c);
void conclude_losses(const Conclusions& c);
void conclude_modes(const Conclusions& c);
void conclude_options(const Conclusions& c);
void conclude_habits(const Conclusions& c);

}  // namespace gradus::optim
