// What processes share out among them: samples, the state of an optimizer, the moments of a batch.
#include "worker.h"

namespace gradus::test {

namespace {

bool same(const Tensor& a, const Tensor& b) { return a.dtype() == b.dtype() && equal(a, b); }

nn::Sequential network(Dtype dtype = kFloat32) {
  manual_seed(7);
  nn::Sequential net(nn::Linear(6, 16), nn::Tanh(), nn::Linear(16, 5), nn::Tanh(), nn::Linear(5, 3));
  net.to(dtype);
  return net;
}

Tensor data(std::int64_t rows, std::int64_t columns, Dtype dtype = kFloat32) {
  Generator generator(11);
  return randn({rows, columns}, {.dtype = dtype}, &generator);
}

std::int64_t state_bytes(const optim::Optimizer& optimizer) {
  std::int64_t bytes = 0;
  for (const Tensor& x : optimizer.parameters())
    for (const auto& [name, tensor] : optimizer.state_tensors(x)) bytes += tensor.numel() * tensor.element_size();
  return bytes;
}

// The bits of the plain optimizer, with a share of its state.
template <class O>
void shared_state(const typename O::GroupOptions& options) {
  nn::Sequential net = network(), other = nn::clone(net);
  nn::DistributedDataParallel ddp(net), twin(other);
  optim::ZeroRedundancyOptimizer<O> sharded(ddp.parameters(), options);
  O plain(twin.parameters(), options);
  sharded.set_clipping({.max_norm = 0.5});
  plain.set_clipping({.max_norm = 0.5});
  const auto [begin, size] = ddp.local_samples(24);
  const Tensor x = data(24, 6).narrow(0, begin, size);
  const auto step = [&] {
    sharded.minimize(ddp(x).pow(2).mean());
    plain.minimize(twin(x).pow(2).mean());
  };
  for (int i = 0; i < 3; ++i) step();
  require(hash_of(net) == hash_of(other), std::string("sharded ") + plain.name());
  ddp.check_same();
  const auto parameters = net.parameters();
  for (const Tensor& p : parameters)
    require((sharded.steps_of(p) == 3) == (sharded.owner(p) == distributed::rank()), "one rank has the state of each");
  const Tensor all = tensor(state_bytes(sharded));
  distributed::all_reduce(all);
  require(all.item<std::int64_t>() == state_bytes(plain), "state is kept once");

  // Gathered, it is the plain one's, and the plain one's can be taken.
  bool refused = false;
  try {
    sharded.state_dict();
  } catch (const ValueError&) {
    refused = true;
  }
  require(refused, "state_dict() before it was gathered");
  const int to = distributed::size() - 1;
  sharded.consolidate_state_dict(to);
  const optim::OptimizerState whole = plain.state_dict();
  if (distributed::rank() == to) {
    const optim::OptimizerState gathered = sharded.state_dict();
    require(gathered.optimizer == whole.optimizer && gathered.params.size() == whole.params.size(), "gathered");
    for (const auto& [name, param] : whole.params) {
      const auto& ours = gathered.params.at(name);
      require(ours.step == param.step && ours.numbers == param.numbers, "gathered numbers");
      for (const auto& [key, saved] : param.tensors)
        require(same(ours.tensors.at(key), saved), "gathered " + name + key);
    }
  }
  step();
  sharded.load_state_dict(plain.state_dict());
  step();
  require(hash_of(net) == hash_of(other), "goes on from the plain one's state");
}

void frozen_and_unused() {
  nn::Sequential net = network();
  nn::DistributedDataParallel ddp(net);
  nn::freeze(net, "0.*");
  optim::ZeroRedundancyOptimizer<optim::Adam> optimizer(ddp.parameters(), {.lr = 0.1});
  const Tensor before = net.parameters()[0].detach().clone();
  optimizer.minimize(ddp(data(4, 6)).sum());
  require(same(net.parameters()[0], before), "frozen");
  ddp.check_same();
}

// As BatchNorm over the samples of all ranks, of which the first has one more than the others.
void synchronized_norm() {
  const int n = distributed::size(), me = distributed::rank();
  const std::int64_t rows = 4 * n + 1, begin = me == 0 ? 0 : 4 * me + 1, size = me == 0 ? 5 : 4;
  struct Net : nn::Module {
    nn::Linear a = add("a", nn::Linear(6, 4, {.dtype = kFloat64}));
    nn::BatchNorm1d norm = add("norm", nn::BatchNorm1d(4, {.dtype = kFloat64}));
    nn::Linear b = add("b", nn::Linear(4, 2, {.dtype = kFloat64}));
    Tensor forward(const Tensor& x) override { return b(norm(a(x))); }
  };
  manual_seed(3);
  Net net, whole = nn::clone(net);
  nn::SyncBatchNorm::convert_sync_batchnorm(net);
  nn::DistributedDataParallel ddp(net);
  const Tensor x = data(rows, 6, kFloat64), own = x.narrow(0, begin, size);
  const auto close = [](const Tensor& a, const Tensor& b) { return allclose(a, b, 1e-10, 1e-12); };
  for (int pass = 0; pass < 2; ++pass) {
    const Tensor y = ddp(own), all = whole(x);
    require(close(y, all.narrow(0, begin, size)), "SyncBatchNorm");
    net.zero_grad();
    whole.zero_grad();
    (y.pow(2).sum() * (static_cast<double>(n) / static_cast<double>(rows))).backward();
    (all.pow(2).sum() / static_cast<double>(rows)).backward();
    const auto ours = net.named_parameters(), theirs = whole.named_parameters();
    for (std::size_t i = 0; i < ours.size(); ++i)
      require(close(ours[i].second.grad(), theirs[i].second.grad()), "SyncBatchNorm: " + ours[i].first);
  }
  require(close(net.norm.running_mean, whole.norm.running_mean) && close(net.norm.running_var, whole.norm.running_var),
          "running statistics");
  ddp.check_same();
  // A gradient of a gradient.
  const auto penalty = [](nn::Module& of, const Tensor& input) {
    const Tensor leaf = input.detach().requires_grad_();
    const Tensor g = autograd::grad({of(leaf).pow(3).sum()}, {leaf}, {}, {.create_graph = true})[0];
    return autograd::grad({g.pow(2).sum()}, {leaf})[0];
  };
  require(close(penalty(net, own), penalty(whole, x).narrow(0, begin, size)), "twice");
  bool refused = false;
  try {
    ddp.backward_chunks(8, [&](const nn::Chunk&) { return ddp(own).sum(); });
  } catch (const ValueError&) {
    refused = true;
  }
  require(refused, "SyncBatchNorm in chunks");
}

// A loader's batches, cut into chunks; the last one has fewer samples than there are chunks.
void samples() {
  struct Damaged : data::Dataset {
    std::int64_t size() const override { return 19; }
    data::Sample get(std::int64_t i) const override {
      if (i == 5) throw IoError("torn");
      return {data_of(i), tensor(static_cast<double>(i))};
    }
    static Tensor data_of(std::int64_t i) { return test::data(19, 6, kFloat64).select(0, i); }
  };
  nn::Sequential net = network(kFloat64), whole = nn::clone(net);
  nn::DistributedDataParallel ddp(net, {.chunks = 6});
  data::DataLoader loader(Damaged{}, {.batch_size = 8, .seed = 1, .skip_damaged = true, .share = ddp.batch_share()});
  data::DataLoader one(Damaged{}, {.batch_size = 8, .seed = 1, .skip_damaged = true});
  auto it = one.begin();
  for (const data::Batch& batch : loader) {
    net.zero_grad();
    whole.zero_grad();
    const double loss =
        ddp.backward_chunks(batch, [&](const Tensor& x, const Tensor& y) { return (ddp(x).sum(1) - y).pow(2).mean(); });
    const Tensor all = (whole(it->data).sum(1) - it->target).pow(2).mean();
    all.backward();
    require(std::abs(loss - all.item()) < 1e-9 * all.item(), "the mean over the samples that there are");
    for (std::size_t i = 0; i < net.parameters().size(); ++i)
      require(allclose(net.parameters()[i].grad(), whole.parameters()[i].grad(), 1e-9, 1e-12), "their gradient");
    ++it;
  }
  require(it == one.end(), "as many batches");
  // Evaluation: every sample once.
  data::DataLoader test(data::TensorDataset(arange(23)), {.batch_size = 4, .share = ddp.evaluation_share()});
  const Tensor seen = zeros({23}, {.dtype = kInt64});
  for (const data::Batch& batch : test)
    for (const std::int64_t i : batch.indices) seen.select(0, i).add_(1);
  distributed::all_reduce(seen);
  require(same(seen, ones({23}, {.dtype = kInt64})), "every sample is tested once");
}

// On the wire, over the optimum 2(N-1)/N.
void traffic() {
  const int n = distributed::size();
  nn::Linear layer(1000, 1000, {.bias = false});
  nn::DistributedDataParallel ddp(layer);
  const Tensor x = data(2, 1000);
  const std::int64_t before = distributed::bytes_sent();
  ddp(x).sum().backward();
  const auto sent = static_cast<double>(distributed::bytes_sent() - before);
  const double least = 2.0 * (n - 1) / n * 4e6;
  require(sent >= least * 0.999 && sent < least * 1.01, "bytes on the wire: " + std::to_string(sent / least));
}

}  // namespace

void sharing() {
  shared_state<optim::AdamW>({.lr = 1e-2});
  shared_state<optim::Adafactor>({.lr = 1e-2});
  shared_state<optim::SGD>({.lr = 1e-2, .momentum = 0.9});
  frozen_and_unused();
  synchronized_norm();
  samples();
  traffic();
}

}  // namespace gradus::test
