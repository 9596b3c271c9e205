#include "worker.h"

namespace gradus::test {

namespace {

struct Net : nn::Module {
  nn::Linear a = add("a", nn::Linear(3, 4));
  nn::Linear b = add("b", nn::Linear(4, 2));
  nn::Linear spare = add("spare", nn::Linear(3, 2));
  bool takes_spare = false;
  Tensor forward(const Tensor& x) override { return takes_spare ? spare(x) : b(tanh(a(x))); }
};

// This rank's share of a batch that all ranks know.
Tensor share(const Tensor& x) {
  const std::int64_t n = x.size(0) / distributed::size();
  return x.narrow(0, n * distributed::rank(), n);
}

// In double: averages of shares are those of the whole up to rounding.
bool close(const Tensor& a, const Tensor& b) {
  return a.defined() == b.defined() && (!a.defined() || allclose(a, b, 1e-10, 1e-12));
}

Tensor batch(std::uint64_t seed) {
  Generator generator(seed);
  return randn({24, 3}, {.dtype = kFloat64}, &generator);
}

Net twin_of(Net& net) { return nn::clone(net); }

void require_same_gradients(Net& net, Net& whole, const std::string& what) {
  const auto ours = net.named_parameters(), theirs = whole.named_parameters();
  for (std::size_t i = 0; i < ours.size(); ++i)
    require(close(ours[i].second.grad(), theirs[i].second.grad()), what + ": " + ours[i].first);
}

Net fresh() {
  manual_seed(static_cast<std::uint64_t>(distributed::rank()) + 1);  // others than rank 0's: they are replaced
  Net net;
  net.to(kFloat64);
  return net;
}

void averages() {
  Net net = fresh();
  nn::DistributedDataParallel ddp(net, {.bucket_cap_mb = 1e-4});
  ddp.check_same();
  Net whole = twin_of(net);
  const Tensor x = batch(1);
  ddp(share(x)).pow(2).mean().backward();
  whole(x).pow(2).mean().backward();
  require_same_gradients(net, whole, "averages");
  require(!net.spare.weight.grad().defined(), "what nobody uses has no gradient");
  // Accumulated, as for one process.
  ddp(share(x)).sum().backward();
  (whole(x).sum() / distributed::size()).backward();
  require_same_gradients(net, whole, "accumulated");
}

void unused_on_some() {
  Net net = fresh();
  nn::DistributedDataParallel ddp(net);
  ddp.module.takes_spare = distributed::rank() == 0;
  ddp(share(batch(2))).sum().backward();
  require(net.spare.weight.grad().defined() && net.a.weight.grad().defined(), "what any rank uses has a gradient");
  const auto all = distributed::all_gather(net.spare.weight.grad());
  for (const Tensor& each : all) require(equal(each, all[0]), "and the same one");
}

void frozen_after_wrapping() {
  Net net = fresh();
  nn::DistributedDataParallel ddp(net);
  nn::freeze(net, "a.*");
  ddp(share(batch(3))).sum().backward();
  require(!net.a.weight.grad().defined() && net.b.weight.grad().defined(), "frozen");
  nn::unfreeze(net, "a.*");
  ddp(share(batch(3))).sum().backward();
  require(net.a.weight.grad().defined(), "unfrozen");
}

void without_sync() {
  Net net = fresh();
  nn::DistributedDataParallel ddp(net);
  Net whole = twin_of(net);
  const Tensor x = batch(4), y = batch(5);
  {
    const auto guard = ddp.no_sync();
    ddp(share(x)).pow(2).mean().backward();
    ddp.module.takes_spare = true;
    ddp(share(x)).pow(2).mean().backward();  // what the last pass does not use is sent all the same
    ddp.module.takes_spare = false;
  }
  ddp(share(y)).pow(2).mean().backward();
  whole(x).pow(2).mean().backward();
  whole(y).pow(2).mean().backward();
  whole.takes_spare = true;
  whole(x).pow(2).mean().backward();
  require_same_gradients(net, whole, "no_sync");
}

void two_forwards() {
  Net net = fresh();
  nn::DistributedDataParallel ddp(net);
  Net whole = twin_of(net);
  const Tensor x = batch(6), y = batch(7);
  const Tensor first = ddp(share(x)), second = ddp(share(y));
  (first.mean() + second.pow(2).mean()).backward();
  (whole(x).mean() + whole(y).pow(2).mean()).backward();
  require_same_gradients(net, whole, "two forwards");
}

// Each step of a GAN is of one network; the other one's gradients are neither computed nor sent.
void gan() {
  Net g = fresh(), d = fresh();
  nn::DistributedDataParallel generator(g), critic(d);
  struct Back : nn::Module {
    nn::BatchNorm1d norm = add("norm", nn::BatchNorm1d(2));
    nn::Linear fc = add("fc", nn::Linear(2, 3));
    Tensor forward(const Tensor& x) override { return fc(norm(x)); }
  } back;
  back.to(kFloat64);
  nn::DistributedDataParallel head(back);
  optim::SGD of_generator(generator.parameters(), {.lr = 0.1});
  std::vector<Tensor> both = critic.parameters();
  for (const Tensor& x : head.parameters()) both.push_back(x);
  optim::SGD of_critic(both, {.lr = 0.1});
  for (int step = 0; step < 5; ++step) {
    const Tensor real = share(batch(10)), fake = head(generator(share(batch(11))));
    of_critic.minimize(critic(real).mean() - critic(fake.detach()).mean() + head(generator(real).detach()).mean());
    const Tensor before = critic.module.a.weight.grad().clone();
    of_generator.minimize(critic(head(generator(real))).mean());
    require(equal(critic.module.a.weight.grad(), before), "only what an optimizer owns has a new gradient");
  }
  generator.check_same();
  critic.check_same();
  head.check_same();
}

void replaced() {
  Net net = fresh();
  nn::DistributedDataParallel ddp(net);
  manual_seed(static_cast<std::uint64_t>(distributed::rank()) + 5);
  net.b = nn::Linear(4, 2, {.dtype = kFloat64});
  ddp(share(batch(8))).sum().backward();
  require(net.b.weight.grad().defined(), "a layer that was put in later");
  ddp.check_same();
}

void half() {
  nn::Linear layer(3, 2, {.dtype = kBFloat16});
  nn::DistributedDataParallel ddp(layer);
  ddp(ones({2, 3}, {.dtype = kBFloat16}) * (distributed::rank() + 1)).sum().backward();
  const double mean = (distributed::size() + 1) / 2.0;
  require(close(layer.weight.grad().to(kFloat64), full({2, 3}, 2 * mean, {.dtype = kFloat64})), "bfloat16");
}

// Its norm is that of the averaged gradient, on all ranks.
void clipping() {
  Net net = fresh();
  nn::DistributedDataParallel ddp(net);
  Net whole = twin_of(net);
  const Tensor x = batch(9);
  (ddp(share(x)).pow(2).mean() * 100).backward();
  (whole(x).pow(2).mean() * 100).backward();
  const double a = nn::utils::clip_grad_norm_(net.parameters(), 0.5).item(),
               b = nn::utils::clip_grad_norm_(whole.parameters(), 0.5).item();
  require(std::abs(a - b) < 1e-10 * b, "norm");
  require_same_gradients(net, whole, "clipped");
}

// Samples that the chunks cannot share evenly, and more chunks than samples.
void uneven_chunks() {
  for (const std::int64_t chunks : {5, 8, 32}) {
    if (chunks < distributed::size()) continue;
    Net net = fresh();
    nn::DistributedDataParallel ddp(net, {.chunks = chunks});
    Net whole = twin_of(net);
    manual_seed(1);
    const Tensor x = batch(12).narrow(0, 0, 19);
    const double loss =
        ddp.backward_chunks(19, [&](const nn::Chunk& c) { return ddp(x.narrow(0, c.begin, c.size)).pow(2).mean(); });
    const Tensor all = whole(x).pow(2).mean();
    all.backward();
    require(std::abs(loss - all.item()) < 1e-12, "the mean over the batch");
    require_same_gradients(net, whole, "uneven chunks");
  }
}

}  // namespace

void parallel(const Arguments&) {
  averages();
  unused_on_some();
  frozen_after_wrapping();
  without_sync();
  two_forwards();
  gan();
  replaced();
  half();
  clipping();
  uneven_chunks();
  sharing();
  say("parallel of " + std::to_string(distributed::size()) + " with " + distributed::backend() + ": ok", true);
}

}  // namespace gradus::test
