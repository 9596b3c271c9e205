// What a receipt sees: the bits of parameters around steps, and who made them.
#include <fmt/format.h>
#include <gradus/autograd.h>
#include <gradus/nn/freeze.h>
#include <gradus/training/receipt.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <unordered_map>

#include "io/file/sha256.h"
#include "optim/engine/watch.h"
#include "training/receipt_hash.h"

namespace gradus::training {

namespace {

constexpr std::int64_t kFirstHashed = 2, kHashEvery = 1024;

double rate_of(const optim::Optimizer& optimizer, std::size_t group) {
  const auto names = optimizer.option_names();
  if (std::find(names.begin(), names.end(), "lr") == names.end()) return 0;
  const optim::OptionValue value = optimizer.option(group, "lr");
  const double* rate = std::get_if<double>(&value);
  return rate == nullptr ? 0 : *rate;
}

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

}  // namespace

std::string tensor_hash(const Tensor& x) {
  const NoGrad guard;
  const Tensor row_major = x.detach().contiguous().cpu();
  return io::sha256({static_cast<const char*>(row_major.const_data_ptr()),
                     static_cast<std::size_t>(row_major.numel() * row_major.element_size())});
}

struct __attribute__((visibility("hidden"))) Receipt::Watch : optim::Watcher {
  struct Watched {
    Tensor tensor;
    ReceiptRow row;
    std::uint32_t version = 0;
    std::int64_t trainable_steps = 0;  // of this phase
    bool ever_trainable = false;
    std::string hash;      // around a step that is hashed
    std::string expected;  // where a run goes on
  };
  struct Known {
    const optim::Optimizer* optimizer = nullptr;  // null: gone
    ReceiptOptimizer record;
    std::int64_t skipped_before = 0;  // of its counter when it came; of the runs before in `earlier`
    std::int64_t earlier_skipped = 0;
    std::int64_t steps_of_phase = 0;
    std::unordered_map<const void*, std::size_t> groups = {};
    bool hashing = false;
  };

  mutable std::mutex mutex;
  mutable std::vector<Watched> watched;
  std::unordered_map<const void*, std::size_t> place;
  std::vector<Known> optimizers;
  std::vector<ReceiptPhase> phases;
  std::vector<std::string> networks;
  std::int64_t steps = 0, resumed = 0;
  mutable std::vector<std::string> broken;
  mutable bool unchecked = false;  // what was expected when it went on

  Watch(const optim::AuditedModels& models, const std::vector<NamedOptimizer>& given) {
    for (const auto& model : models) {
      networks.push_back(model.name);
      visit(*model.state, model.name);
    }
    for (const auto& [name, optimizer] : given) know(optimizer, name);
    add_watcher(*this);
  }
  ~Watch() override { remove_watcher(*this); }

  void visit(const nn::detail::ModuleState& state, const std::string& path) {
    const auto full = [&](const std::string& name) { return path.empty() ? name : path + "." + name; };
    for (const auto& [name, tensor] : state.parameters) take(full(name), tensor, false);
    for (const auto& buffer : state.buffers) take(full(buffer.name), buffer.tensor, true);
    for (const auto& child : state.children) visit(*child.module->state(), full(child.name));
  }
  void take(const std::string& name, const Tensor& tensor, bool buffer) {
    if (!tensor.defined() || !place.try_emplace(tensor.impl(), watched.size()).second) return;
    Watched& w = watched.emplace_back();
    w.tensor = tensor;
    w.row.name = name;
    w.row.buffer = buffer;
    w.row.dtype = gradus::to_string(tensor.dtype());
    w.row.sizes.assign(tensor.sizes().begin(), tensor.sizes().end());
    w.row.before = tensor_hash(tensor);
    w.version = tensor.version();
  }

  Known& know(optim::Optimizer& optimizer, const std::string& name = "") {
    for (Known& k : optimizers)
      if (k.optimizer == &optimizer) return k;
    const std::string wanted = name.empty() ? optimizer.name() : name;
    // One of an earlier run, or that is gone, goes on under its name.
    for (Known& k : optimizers)
      if (k.optimizer == nullptr && k.record.name == wanted) return take(k, optimizer);
    const auto used = [&](const std::string& one) {
      return std::any_of(optimizers.begin(), optimizers.end(), [&](const Known& k) { return k.record.name == one; });
    };
    std::string unique = wanted;
    for (int i = 2; used(unique); ++i) unique = fmt::format("{} {}", wanted, i);
    Known& k = optimizers.emplace_back();
    k.record.name = unique;
    return take(k, optimizer);
  }
  static Known& take(Known& k, const optim::Optimizer& optimizer) {
    k.optimizer = &optimizer;
    k.record.type = optimizer.name();
    k.earlier_skipped = k.record.skipped;
    k.skipped_before = optimizer.skipped_steps();
    return k;
  }

  // A step of something that has nothing of these networks says nothing about them.
  bool concerns(const optim::Optimizer& optimizer) const {
    for (const Known& k : optimizers)
      if (k.optimizer == &optimizer) return true;
    for (std::size_t g = 0; g < optimizer.group_count(); ++g)
      for (const auto& [name, tensor] : optimizer.group_params(g))
        if (place.count(tensor.impl()) != 0) return true;
    return false;
  }

  void check_expected() const {
    if (!std::exchange(unchecked, false)) return;
    for (Watched& w : watched) {
      // A forward in training may have moved buffers by now.
      if (!w.row.buffer && !w.expected.empty() && w.expected != tensor_hash(w.tensor)) add_once(broken, w.row.name);
      w.expected.clear();
      w.version = w.tensor.version();
    }
  }

  void before_step(optim::Optimizer& optimizer) override {
    const std::lock_guard lock(mutex);
    if (!concerns(optimizer)) return;
    check_expected();
    Known& k = know(optimizer);
    k.groups.clear();
    for (std::size_t g = 0; g < optimizer.group_count(); ++g)
      for (const auto& [name, tensor] : optimizer.group_params(g)) k.groups.emplace(tensor.impl(), g);
    k.hashing = k.steps_of_phase < kFirstHashed || k.record.steps % kHashEvery == 0;
    for (Watched& w : watched) {
      const std::uint32_t version = w.tensor.version();
      if (version != w.version) {
        ++w.row.changed_elsewhere;
        w.version = version;
      }
      if (w.tensor.requires_grad() && !is_frozen(w.tensor)) {
        w.ever_trainable = true;
        ++w.trainable_steps;
      }
      if (k.hashing && k.groups.count(w.tensor.impl()) == 0) w.hash = tensor_hash(w.tensor);
    }
  }

  void after_step(optim::Optimizer& optimizer) override {
    const std::lock_guard lock(mutex);
    if (!concerns(optimizer)) return;
    Known& k = know(optimizer);
    ++steps;
    ++k.record.steps;
    ++k.steps_of_phase;
    if (k.hashing) ++k.record.hashed_steps;
    if (phases.empty()) phases.emplace_back();
    ++phases.back().steps;
    for (Watched& w : watched) {
      const std::uint32_t version = w.tensor.version();
      const bool changed = version != w.version;
      w.version = version;
      const auto group = k.groups.find(w.tensor.impl());
      if (group == k.groups.end()) {
        if (changed || (k.hashing && w.hash != tensor_hash(w.tensor))) add_once(k.record.moved_of_others, w.row.name);
      } else if (changed) {
        moved(w.row, k.record.name, rate_of(optimizer, group->second));
      }
    }
    k.hashing = false;
  }

  static void moved(ReceiptRow& row, const std::string& by, double rate) {
    auto owner = std::find_if(row.owners.begin(), row.owners.end(),
                              [&](const ReceiptRow::Owner& o) { return o.optimizer == by; });
    if (owner == row.owners.end()) owner = row.owners.insert(row.owners.end(), {by, 0, rate, rate, rate, rate});
    ++owner->steps;
    owner->last_rate = rate;
    owner->lowest_rate = std::min(owner->lowest_rate, rate);
    owner->highest_rate = std::max(owner->highest_rate, rate);
  }

  void after_schedule(const void*, const std::string&, const std::string&, optim::Optimizer&) override {}
  void after_metric(const void*, optim::Optimizer&, double, bool, bool) override {}
  void clipped(std::span<const Tensor>) override {}
  void gone(const optim::Optimizer& optimizer) override {
    const std::lock_guard lock(mutex);
    for (Known& k : optimizers) {
      if (k.optimizer != &optimizer) continue;
      k.record.skipped = skipped_of(k);
      k.optimizer = nullptr;
    }
  }
  static std::int64_t skipped_of(const Known& k) {
    if (k.optimizer == nullptr) return k.record.skipped;
    return k.earlier_skipped + k.optimizer->skipped_steps() - k.skipped_before;
  }

  ReceiptRow::PhaseEnd end_of_phase(const Watched& w) const {
    return {phases.back().name, tensor_hash(w.tensor), w.trainable_steps};
  }

  void begin_phase(const std::string& name) {
    const std::lock_guard lock(mutex);
    if (!phases.empty() && phases.back().name == name) return;  // of a run that goes on within it
    if (!phases.empty()) {
      check_expected();
      for (Watched& w : watched) {
        w.row.phases.push_back(end_of_phase(w));
        w.trainable_steps = 0;
      }
    }
    for (Known& k : optimizers) k.steps_of_phase = 0;
    phases.push_back({name, 0});
  }

  ReceiptReport report() const {
    const std::lock_guard lock(mutex);
    check_expected();
    ReceiptReport report;
    report.networks = networks;
    report.phases = phases;
    report.steps = steps;
    report.resumed = resumed;
    report.broken = broken;
    for (const Watched& w : watched) {
      ReceiptRow row = w.row;
      row.frozen = !w.row.buffer && !w.ever_trainable;
      row.after = tensor_hash(w.tensor);
      if (w.tensor.version() != w.version) ++row.changed_elsewhere;
      if (!phases.empty()) row.phases.push_back(end_of_phase(w));
      report.rows.push_back(std::move(row));
    }
    for (const Known& k : optimizers) {
      report.optimizers.push_back(k.record);
      report.optimizers.back().skipped = skipped_of(k);
    }
    mark_frozen_buffers(report);
    return report;
  }

  // Buffers of a module are frozen where all of its own parameters are, and it has some.
  static void mark_frozen_buffers(ReceiptReport& report) {
    const auto module_of = [](const std::string& name) { return name.substr(0, name.rfind('.') + 1); };
    for (ReceiptRow& buffer : report.rows) {
      if (!buffer.buffer) continue;
      bool any = false, all = true;
      for (const ReceiptRow& row : report.rows) {
        if (row.buffer || module_of(row.name) != module_of(buffer.name)) continue;
        any = true;
        all = all && row.frozen;
      }
      buffer.frozen = any && all;
    }
  }

  void resume(const ReceiptReport& before) {
    const std::lock_guard lock(mutex);
    const auto refuse = [](const std::string& why) {
      throw ValueError("Receipt::resume: the receipt is of other networks: " + why);
    };
    if (before.rows.size() != watched.size())
      refuse(fmt::format("it has {} tensors, these have {}", before.rows.size(), watched.size()));
    for (std::size_t i = 0; i < watched.size(); ++i) {
      const ReceiptRow &was = before.rows[i], &now = watched[i].row;
      if (was.name != now.name || was.dtype != now.dtype || was.sizes != now.sizes)
        refuse(fmt::format("it has {} where {} is", was.name, now.name));
    }
    for (std::size_t i = 0; i < watched.size(); ++i) {
      Watched& w = watched[i];
      w.row = before.rows[i];
      w.expected = w.row.after;
      w.ever_trainable = !w.row.buffer && !w.row.frozen;
      w.trainable_steps = 0;
      if (!w.row.phases.empty()) {
        w.trainable_steps = w.row.phases.back().trainable_steps;
        w.row.phases.pop_back();  // it goes on
      }
    }
    unchecked = true;
    steps = before.steps;
    phases = before.phases;
    broken = before.broken;
    resumed = before.resumed + 1;
    std::vector<Known> alive = std::move(optimizers);
    optimizers.clear();
    for (const ReceiptOptimizer& record : before.optimizers) optimizers.emplace_back().record = record;
    for (Known& k : alive) {
      const auto same = std::find_if(optimizers.begin(), optimizers.end(),
                                     [&](const Known& other) { return other.record.name == k.record.name; });
      if (k.optimizer == nullptr) continue;
      if (same == optimizers.end()) {
        optimizers.push_back(k);
      } else {
        take(*same, *k.optimizer);
      }
    }
  }
};

Receipt::Receipt(const optim::AuditedModels& models, const std::vector<NamedOptimizer>& optimizers) {
  if (models.empty()) throw ValueError("Receipt: needs at least one network");
  watch_ = std::make_unique<Watch>(models, optimizers);
}
Receipt::~Receipt() = default;
void Receipt::begin_phase(const std::string& name) { watch_->begin_phase(name); }
ReceiptReport Receipt::report() const { return watch_->report(); }
void Receipt::resume(const ReceiptReport& before) { watch_->resume(before); }

}  // namespace gradus::training
