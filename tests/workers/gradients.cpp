// ZeRO-2: gradients whose sum only the rank that updates the parameter gets.
#include <cmath>

#include "worker.h"

namespace gradus::test {

namespace {

// With running averages, which all ranks get, and a layer that the loss does not use.
struct Net : nn::Module {
  explicit Net(Dtype dtype) { to(dtype); }
  nn::Linear a = add("a", nn::Linear(6, 16));
  nn::BatchNorm1d norm = add("norm", nn::BatchNorm1d(16));
  nn::Linear b = add("b", nn::Linear(16, 5));
  nn::Linear c = add("c", nn::Linear(5, 3));
  nn::Linear spare = add("spare", nn::Linear(6, 3));
  Tensor forward(const Tensor& x) override { return c(tanh(b(tanh(norm(a(x)))))); }
};

Tensor data(std::int64_t rows, Dtype dtype, std::uint64_t seed = 11) {
  Generator generator(seed);
  return randn({rows, 6}, {.dtype = dtype}, &generator);
}

// A network trained with whole gradients, and its twin with gradients of single ranks. Buckets are small, so that
// parameters lie in several.
template <class O>
struct Pair {
  Net net, twin;
  nn::DistributedDataParallel<Net> ddp, plain_ddp;
  optim::ZeroRedundancyOptimizer<O> optimizer;
  O plain;

  explicit Pair(const typename O::GroupOptions& options, Dtype dtype = kFloat32, std::int64_t chunks = 0)
      : net((manual_seed(7), dtype)),
        twin(nn::clone(net)),
        ddp(net, {.bucket_cap_mb = 2e-4, .chunks = chunks}),
        plain_ddp(twin, {.bucket_cap_mb = 2e-4, .chunks = chunks}),
        optimizer(ddp.parameters(), options),
        plain(plain_ddp.parameters(), options) {
    optimizer.shard_gradients();
  }
  void backward(const Tensor& x, double factor = 1) {
    (ddp(x).pow(2).mean() * factor).backward();
    (plain_ddp(x).pow(2).mean() * factor).backward();
  }
  void zero_grad(bool to_none = true) {
    optimizer.zero_grad(to_none);
    plain.zero_grad(to_none);
  }
  void step() { require(optimizer.step() == plain.step(), "both step, or neither"); }
  void require_same(const std::string& what) {
    require(hash_of(net) == hash_of(twin), what + " of " + plain.name());
    ddp.check_same();
  }
  // Those of this rank have the plain ones' bits, or are `close` to them; others are not there.
  void require_gradients(const std::string& what, bool close = false) {
    const auto ours = net.named_parameters(), theirs = twin.named_parameters();
    for (std::size_t i = 0; i < ours.size(); ++i) {
      const Tensor mine = ours[i].second.grad(), whole = theirs[i].second.grad();
      const bool here = optimizer.owner(ours[i].second) == distributed::rank();
      require(mine.defined() == (whole.defined() && here), what + ": who has " + ours[i].first);
      if (mine.defined())
        require(close ? allclose(mine, whole, 1e-5, 1e-7) : equal(mine, whole), what + ": " + ours[i].first);
    }
  }
};

Tensor own(const nn::DistributedModule& ddp, const Tensor& x) {
  const auto [begin, size] = ddp.local_samples(x.size(0));
  return x.narrow(0, begin, size);
}

template <class O>
void steps(const typename O::GroupOptions& options, Dtype dtype) {
  Pair<O> pair(options, dtype);
  pair.optimizer.set_clipping({.max_norm = 0.5});
  pair.plain.set_clipping({.max_norm = 0.5});
  for (std::uint64_t i = 0; i < 3; ++i) {
    const Tensor x = own(pair.ddp, data(24, dtype, i));
    pair.optimizer.minimize(pair.ddp(x).pow(2).mean());
    pair.plain.minimize(pair.plain_ddp(x).pow(2).mean());
    require(pair.optimizer.grad_norms() == pair.plain.grad_norms(), "the norm of all gradients");
  }
  pair.require_gradients("minimize");
  pair.require_same("steps");
}

void norms() {
  Pair<optim::SGD> pair({.lr = 0.1});
  const Tensor x = own(pair.ddp, data(24, kFloat32));
  for (const double type : {2.0, 1.0, HUGE_VAL}) {
    pair.zero_grad();
    pair.backward(x, 100);
    const Tensor ours = nn::utils::clip_grad_norm_(pair.net.parameters(), 0.5, type),
                 theirs = nn::utils::clip_grad_norm_(pair.twin.parameters(), 0.5, type);
    require(ours.dtype() == theirs.dtype() && equal(ours, theirs), "clip_grad_norm_");
    pair.require_gradients("clipped");
    nn::utils::clip_grad_value_(pair.net.parameters(), 0.01);
    nn::utils::clip_grad_value_(pair.twin.parameters(), 0.01);
    pair.step();
    pair.require_same("clipped by hand");
  }
}

// All ranks know of what only one of them sees.
void not_finite() {
  Pair<optim::SGD> pair({.lr = 0.1});
  for (auto* of : {static_cast<optim::Optimizer*>(&pair.optimizer), static_cast<optim::Optimizer*>(&pair.plain)})
    of->set_clipping({.nonfinite = optim::NonFinite::skip});
  pair.backward(own(pair.ddp, data(24, kFloat32)) * HUGE_VAL);
  pair.step();
  require(pair.optimizer.skipped_steps() == 1, "skipped on all ranks");
  pair.optimizer.set_clipping({});
  std::string message;
  try {
    pair.optimizer.step();
  } catch (const ValueError& error) {
    message = error.what();
  }
  require(message.find("the gradient of parameter 'module.a.weight' must be finite") != std::string::npos, message);
}

void accumulated() {
  Pair<optim::SGD> pair({.lr = 0.1});
  const Tensor x = own(pair.ddp, data(24, kFloat32, 1)), y = own(pair.ddp, data(24, kFloat32, 2));
  for (const bool to_none : {true, false}) {
    {
      const auto ours = pair.ddp.no_sync(), theirs = pair.plain_ddp.no_sync();
      pair.backward(x);
    }
    pair.backward(y);
    pair.require_gradients("no_sync");
    pair.step();
    pair.require_same("no_sync");
    pair.zero_grad(to_none);
  }
  // Sums of sums: added up by the owner, where the plain ones' bits are those of one sum.
  pair.zero_grad();
  pair.backward(x);
  pair.backward(y);
  pair.require_gradients("two passes", true);
  if (distributed::size() == 1) return;
  // Some without a gradient so far.
  pair.zero_grad();
  (pair.ddp.module.a(x).sum()).backward();
  pair.backward(y);
  for (const auto& [name, p] : pair.net.named_parameters())
    if (name.rfind("spare", 0) != 0)
      require(p.grad().defined() == (pair.optimizer.owner(p) == distributed::rank()), "a later one: " + name);
}

void chunked() {
  const std::int64_t chunks = 2 * distributed::size();
  Pair<optim::AdamW> pair({.lr = 0.01}, kFloat32, chunks);
  const Tensor x = data(4 * chunks + 1, kFloat32);
  for (int i = 0; i < 3; ++i) {
    pair.zero_grad();
    for (int pass = 0; pass < 2; ++pass) {  // the second is added
      pair.ddp.backward_chunks(
          x.size(0), [&](const nn::Chunk& c) { return pair.ddp(x.narrow(0, c.begin, c.size)).pow(2).mean(); });
      pair.plain_ddp.backward_chunks(
          x.size(0), [&](const nn::Chunk& c) { return pair.plain_ddp(x.narrow(0, c.begin, c.size)).pow(2).mean(); });
    }
    pair.require_gradients("chunks");
    pair.step();
  }
  pair.require_same("chunks");
}

// Two optimizers of one network: the pass of one leaves the other's gradients alone.
void of_another_optimizer() {
  manual_seed(7);
  Net net(kFloat32);
  nn::DistributedDataParallel ddp(net);
  optim::ZeroRedundancyOptimizer<optim::SGD> first(net.a.parameters(), {.lr = 0.1});
  optim::SGD second(net.b.parameters(), {.lr = 0.1});
  first.shard_gradients();
  const Tensor x = own(ddp, data(24, kFloat32));
  first.minimize(ddp(x).sum());
  const Tensor before = net.a.weight.grad();
  const bool here = first.owner(net.a.weight) == distributed::rank();
  require(before.defined() == here, "who has it");
  const Tensor kept = here ? before.clone() : Tensor();
  second.minimize(ddp(x).sum());
  require(!here || equal(net.a.weight.grad(), kept), "as it was");
  require(net.b.weight.grad().defined(), "whole ones are on all ranks");
  ddp.check_same();
}

// Without it, or when the optimizer is gone, all ranks have all.
void whole_again() {
  manual_seed(7);
  Net net(kFloat32);
  nn::DistributedDataParallel ddp(net);
  const Tensor x = own(ddp, data(24, kFloat32));
  const auto all_have = [&] {
    net.zero_grad();
    ddp(x).sum().backward();
    return net.a.weight.grad().defined() && net.c.weight.grad().defined();
  };
  {
    optim::ZeroRedundancyOptimizer<optim::SGD> optimizer(net.parameters(), {.lr = 0.1});
    require(all_have(), "before");
    optimizer.shard_gradients();
    require(optimizer.shards_gradients() == (distributed::size() > 1), "nothing to share out alone");
    require(all_have() == (distributed::size() == 1), "shared out");
    optimizer.shard_gradients(false);
    require(all_have(), "not any more");
    optimizer.shard_gradients();
  }
  require(all_have(), "the optimizer is gone");
}

// An audit sees that gradients are elsewhere.
void audited() {
  Pair<optim::SGD> pair({.lr = 0.1});
  const optim::Audit audit(pair.net, {pair.optimizer});
  for (std::uint64_t i = 0; i < 8; ++i) {
    pair.zero_grad();
    pair.ddp(own(pair.ddp, data(24, kFloat32, i))).pow(2).mean().backward();
    nn::utils::clip_grad_norm_(pair.net.parameters(), 0.5);
    pair.optimizer.step();
  }
  for (const auto& finding : audit.report().findings)
    require(finding.rule == "unreached", "the audit finds " + finding.rule);  // the layer that the loss does not use
}

// Every gradient crosses the wire once, and every updated parameter once.
void bytes() {
  const int n = distributed::size();
  struct Many : nn::Module {
    std::vector<nn::Linear> layers;
    Many() {
      for (int i = 0; i < 12; ++i)
        layers.push_back(add("l" + std::to_string(i), nn::Linear(300, 300, {.bias = false})));
    }
    Tensor forward(const Tensor& x) override {
      Tensor y = x;
      for (nn::Linear& layer : layers) y = layer(y);
      return y;
    }
  } net;
  nn::DistributedDataParallel ddp(net);
  optim::ZeroRedundancyOptimizer<optim::SGD> optimizer(ddp.parameters(), {.lr = 0.1});
  optimizer.shard_gradients();
  const double least = static_cast<double>(n - 1) / n * 12 * 300 * 300 * 4;
  const auto check = [&](const char* what, const std::function<void()>& work) {
    const std::int64_t before = distributed::bytes_sent();
    work();
    const auto sent = static_cast<double>(distributed::bytes_sent() - before);
    require(sent >= least && sent <= least * 1.01, std::string(what) + " sends " + std::to_string(sent / least));
  };
  const Tensor loss = ddp(ones({2, 300})).sum();
  check("backward", [&] { loss.backward(); });
  check("a step", [&] { optimizer.step(); });
}

}  // namespace

void gradients() {
  steps<optim::AdamW>({.lr = 1e-2}, kFloat32);
  steps<optim::AdamW>({.lr = 1e-2}, kFloat64);
  steps<optim::Adafactor>({.lr = 1e-2}, kFloat32);
  steps<optim::SGD>({.lr = 1e-2, .momentum = 0.9}, kFloat32);
  norms();
  not_finite();
  accumulated();
  chunked();
  of_another_optimizer();
  whole_again();
  audited();
  bytes();
  say("gradients of " + std::to_string(distributed::size()) + " with " + distributed::backend() + ": ok", true);
}

}  // namespace gradus::test
