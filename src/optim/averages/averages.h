// For rules that keep an average of each parameter: which point the parameter shows.
#pragma once

#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include <algorithm>

#include "core/weight_view.h"
#include "optim/engine/entry.h"

namespace gradus::optim {

template <class Options>
concept KeepsAverages = requires {
  RuleOf<Options>::points;
};

template <class Options>
struct Averages final : gradus::detail::WeightView {
  using Rule = RuleOf<Options>;
  const std::vector<Options>& groups;
  std::vector<std::vector<Entry>>& entries;
  Averages(const std::vector<Options>& g, std::vector<std::vector<Entry>>& e) : groups(g), entries(e) {}

  // Writes one of the points into the parameter, where there are two.
  static void place(const Options& o, Entry& entry, bool averaged) {
    entry.averaged = averaged;
    Tensor* average = entry.find(Rule::points[0]);
    if (average == nullptr) return;
    NoGrad guard;
    Tensor p = entry.param.detach();
    if (averaged) {
      p.copy_(*average);
    } else {
      Rule::show_training(o, p, *average, *entry.find(Rule::points[1]));
    }
  }
  static void show(const Options& o, Entry& entry, bool averaged) {
    if (entry.averaged != averaged) place(o, entry, averaged);
  }

  void show(const Tensor& p, bool averaged) override {
    visit(p, [&](const Options& o, Entry& entry) { show(o, entry, averaged); });
  }

  Tensor averaged(const Tensor& p) override {
    Tensor result;
    visit(p, [&](const Options&, Entry& entry) {
      if (const Tensor* average = entry.find(Rule::points[0])) result = average->to(entry.param.dtype());
    });
    return result;
  }

  void load(const Tensor& p, const Tensor& value) override {
    NoGrad guard;
    const Tensor average = averaged(p);
    if (average.defined() && value.dtype() == average.dtype() && equal(average, value)) return;
    p.detach().copy_(value);
    visit(p, [](const Options&, Entry& entry) {
      std::erase_if(entry.tensors, [](const auto& tensor) {
        return std::string_view(tensor.first) == Rule::points[0] || std::string_view(tensor.first) == Rule::points[1];
      });
      entry.numbers = initial_numbers(numbers_of<Rule>());
    });
  }

  // What remains after an optimizer is the average.
  void release(std::size_t group) {
    for (Entry& entry : entries[group]) {
      if (gradus::detail::weight_view(entry.param).get() != this) continue;
      show(groups[group], entry, true);
      entry.param.impl()->extras->weight_view.reset();
    }
  }

 private:
  template <class Fn>
  void visit(const Tensor& p, Fn&& fn) {
    for (std::size_t i = 0; i < entries.size(); ++i)
      for (Entry& entry : entries[i])
        if (entry.param.is_same(p)) fn(groups[i], entry);
  }
};

}  // namespace gradus::optim
