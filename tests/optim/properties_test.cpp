// What holds for every optimizer under any sequence of steps.
#include <gradus/gradus.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "all_optimizers.h"

namespace gradus {
namespace {

struct Net {
  std::vector<Tensor> parameters;
  std::unique_ptr<optim::Optimizer> opt;
  bool separable;

  // Two groups of matrices.
  explicit Net(const test::OptimizerKind& kind) : separable(kind.separable) {
    std::vector<optim::Params> groups;
    for (int group = 0; group < 2; ++group) {
      std::vector<optim::NamedTensor> named;
      for (int i = 0; i < 2; ++i) {
        parameters.push_back(randn({3, 4}, {.dtype = kFloat64, .requires_grad = true}));
        named.emplace_back("p" + std::to_string(parameters.size()), parameters.back());
      }
      groups.emplace_back(named);
    }
    opt = kind.make(groups);
    for (std::size_t group = 0; group < opt->group_count(); ++group) test::set_options(*opt, group, kind.full);
  }
  void step(double target) {
    opt->step([&] {
      opt->zero_grad();
      Tensor loss = zeros({}, {.dtype = kFloat64});
      for (const Tensor& p : parameters) loss = loss + square(p - target).sum();
      if (loss.requires_grad()) loss.backward();
      return loss.detach();
    });
  }
  // The values of a parameter, its gradient and its state, with their names.
  std::map<std::string, std::vector<double>> bytes(const Tensor& p) const {
    std::map<std::string, std::vector<double>> all{{"values", p.detach().to_vector<double>()}};
    if (p.grad().defined()) all["gradient"] = p.grad().to_vector<double>();
    for (const auto& [name, tensor] : opt->state_tensors(p)) all[name] = tensor.to_vector<double>();
    all["steps"] = {static_cast<double>(opt->steps_of(p))};
    return all;
  }
};

const test::OptimizerKind& any_kind() {
  const auto& kinds = test::all_optimizers();
  const auto& kind = kinds[*rc::gen::inRange<std::size_t>(0, kinds.size())];
  RC_TAG(kind.name);
  return kind;
}

RC_GTEST_PROP(OptimizerProperties, AFrozenParameterAndItsStateKeepTheirBits, ()) {
  manual_seed(*rc::gen::inRange<std::uint64_t>(0, 1000));
  Net net(any_kind());
  // The history of L-BFGS belongs to all parameters together: only the frozen one's values are its own.
  const auto own_bytes = [&](const Tensor& p) {
    auto all = net.bytes(p);
    return net.separable ? all : decltype(all){{"values", all["values"]}};
  };
  for (const int action : *rc::gen::container<std::vector<int>>(15, rc::gen::inRange(0, 6))) {
    const Tensor& p = net.parameters[*rc::gen::inRange<std::size_t>(0, net.parameters.size())];
    if (action == 0) freeze(p);
    if (action == 1) unfreeze(p);
    if (action < 2) continue;
    std::vector<std::pair<Tensor, std::map<std::string, std::vector<double>>>> frozen;
    for (const Tensor& q : net.parameters)
      if (is_frozen(q)) frozen.emplace_back(q, own_bytes(q));
    net.step(action);
    for (const auto& [q, before] : frozen) RC_ASSERT(own_bytes(q) == before);
  }
}

RC_GTEST_PROP(OptimizerProperties, TheRestingOfTwoNetworksIsUntouched, ()) {
  manual_seed(*rc::gen::inRange<std::uint64_t>(0, 1000));
  Net nets[] = {Net(any_kind()), Net(any_kind())};
  for (const int turn : *rc::gen::container<std::vector<int>>(12, rc::gen::inRange(0, 2))) {
    Net &stepping = nets[turn], &resting = nets[1 - turn];
    std::vector<std::map<std::string, std::vector<double>>> before;
    for (const Tensor& p : resting.parameters) before.push_back(resting.bytes(p));
    const auto moving = stepping.bytes(stepping.parameters[0]);
    stepping.step(3);
    for (std::size_t i = 0; i < before.size(); ++i) RC_ASSERT(resting.bytes(resting.parameters[i]) == before[i]);
    RC_ASSERT(stepping.bytes(stepping.parameters[0]) != moving);
  }
}

// Four parameters, cut into the given groups: group[i] is the one of parameter i.
Net grouped(const test::OptimizerKind& kind, const Net& like, const std::vector<int>& group) {
  Net net(kind);
  std::vector<std::vector<optim::NamedTensor>> parts(4);
  for (std::size_t i = 0; i < 4; ++i) {
    net.parameters[i].detach().copy_(like.parameters[i].detach());
    parts[static_cast<std::size_t>(group[i])].emplace_back("p" + std::to_string(i + 1), net.parameters[i]);
  }
  std::vector<optim::Params> groups;
  for (const auto& part : parts)
    if (!part.empty()) groups.emplace_back(part);
  net.opt = kind.make(groups);
  for (std::size_t g = 0; g < net.opt->group_count(); ++g) test::set_options(*net.opt, g, kind.full);
  return net;
}

void expect_same(const Net& a, const Net& b) {
  for (std::size_t i = 0; i < 4; ++i) RC_ASSERT(a.bytes(a.parameters[i]) == b.bytes(b.parameters[i]));
}

const test::OptimizerKind& any_separable_kind() {
  for (;;) {
    const auto& kind = any_kind();
    if (kind.separable) return kind;
  }
}

RC_GTEST_PROP(OptimizerProperties, RegroupingChangesNoBit, ()) {
  manual_seed(*rc::gen::inRange<std::uint64_t>(0, 1000));
  const auto& kind = any_separable_kind();
  Net net(kind);
  Net other = grouped(kind, net, *rc::gen::container<std::vector<int>>(4, rc::gen::inRange(0, 4)));
  for (const int target : *rc::gen::container<std::vector<int>>(8, rc::gen::inRange(0, 5))) {
    net.step(target);
    other.step(target);
  }
  expect_same(net, other);
}

// The one that goes on may also group its parameters in another way.
RC_GTEST_PROP(OptimizerProperties, SaveLoadContinueGivesTheBitsOfNeverHavingStopped, ()) {
  manual_seed(*rc::gen::inRange<std::uint64_t>(0, 1000));
  const auto& kind = any_kind();
  Net net(kind);
  const auto steps = rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 5)));
  for (const int target : *steps) net.step(target);
  const std::vector<int> group =
      kind.separable ? *rc::gen::container<std::vector<int>>(4, rc::gen::inRange(0, 4)) : std::vector<int>{0, 0, 1, 1};
  Net resumed = grouped(kind, net, group);
  resumed.opt->load_state_dict(net.opt->state_dict(), {.options = false});
  for (const int target : *steps) {
    net.step(target);
    resumed.step(target);
  }
  expect_same(net, resumed);
}

}  // namespace
}  // namespace gradus
