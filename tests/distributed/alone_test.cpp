// A program that was started alone.
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include "autograd/gradient_sink.h"
#include "support/message.h"

namespace gradus {
namespace {

struct Net : nn::Module {
  nn::Linear a = add("a", nn::Linear(3, 4));
  nn::BatchNorm1d norm = add("norm", nn::BatchNorm1d(4));
  nn::Linear b = add("b", nn::Linear(4, 2));
  nn::Linear spare = add("spare", nn::Linear(4, 2));
  Tensor forward(const Tensor& x) override { return b(norm(a(x))); }
};

TEST(Alone, IsOneProcess) {
  distributed::init();
  EXPECT_EQ(distributed::rank(), 0);
  EXPECT_EQ(distributed::size(), 1);
  EXPECT_EQ(distributed::backend(), "none");
  const Tensor x = tensor({1.0, 2.0});
  distributed::all_reduce(x, distributed::ReduceOp::Avg);
  distributed::broadcast(x);
  distributed::barrier();
  EXPECT_TRUE(equal(x, tensor({1.0, 2.0})));
  EXPECT_EQ(distributed::all_gather(x).size(), 1U);
  EXPECT_EQ(distributed::all_gather_object("a"), std::vector<std::string>{"a"});
  EXPECT_THROW(distributed::broadcast(x, 1), ValueError);
  EXPECT_THROW(distributed::all_reduce(ones({2, 3}).t()), ValueError);
  EXPECT_THROW(distributed::all_reduce(ones({2}, {.dtype = kInt64}), distributed::ReduceOp::Avg), DtypeError);
  EXPECT_THROW(distributed::init({.timeout = 0}), ValueError);
  distributed::finalize();
}

TEST(Alone, TheWrapperCostsNothingAndIsTheNetwork) {
  Net net;
  nn::DistributedDataParallel ddp(net);
  EXPECT_EQ(detail::gradient_sinks.load(), 0);  // backward is not watched
  const Tensor x = randn({5, 3});
  EXPECT_TRUE(equal(ddp(x), net(x)));
  EXPECT_EQ(ddp.named_parameters()[0].first, "module.a.weight");
  EXPECT_TRUE(ddp.module.a.weight.is_same(net.a.weight));
  {
    const auto guard = ddp.no_sync();
    ddp(x).sum().backward();
  }
  EXPECT_TRUE(net.a.weight.grad().defined());
}

TEST(Alone, OptionsAreChecked) {
  Net net;
  EXPECT_THROW(nn::DistributedDataParallel(net, {.bucket_cap_mb = 0}), ValueError);
  EXPECT_THROW(nn::DistributedDataParallel(net, {.chunks = -1}), ValueError);
}

// As models::make returns one.
TEST(Alone, ANetworkBehindAPointer) {
  const std::shared_ptr<nn::Module> net = models::make("lenet");
  nn::DistributedDataParallel ddp(net, {.chunks = 2});
  nn::DataParallel parallel(net);
  const Tensor x = randn({4, 3, 32, 32});
  EXPECT_TRUE(ddp.module == net && parallel.module == net);
  EXPECT_TRUE(equal(ddp(x), (*net)(x)));
  EXPECT_TRUE(equal(parallel(x), (*net)(x)));
  EXPECT_EQ(ddp.named_parameters()[0].first, "module." + net->named_parameters()[0].first);
  EXPECT_EQ(parallel.named_parameters()[0].first, ddp.named_parameters()[0].first);
  ddp.backward_chunks(4, [&](const nn::Chunk& c) { return ddp(x.narrow(0, c.begin, c.size)).mean(); });
  EXPECT_TRUE(net->parameters()[0].grad().defined());
  // A handle is the same network; a clone has its own.
  nn::DataParallel same = parallel, other = nn::clone(parallel);
  {
    const NoGrad guard;
    net->parameters()[0].fill_(0);
  }
  EXPECT_TRUE(equal(same(x), parallel(x)));
  EXPECT_FALSE(equal(other(x), parallel(x)));
  EXPECT_FALSE(equal(other.module->parameters()[0], net->parameters()[0]));
  EXPECT_TRUE(other.parameters()[0].is_same(other.module->parameters()[0]));
  // Of a type that the caller knows.
  nn::DistributedDataParallel known(std::make_shared<Net>());
  EXPECT_TRUE(known.module->a.weight.is_same(known.parameters()[0]));
  EXPECT_EQ(test::message_of<ValueError>([] { nn::DistributedDataParallel none(std::shared_ptr<nn::Module>{}); }),
            "DistributedDataParallel: needs a module, got a null pointer");
  EXPECT_EQ(test::message_of<ValueError>([] { nn::DataParallel none(std::shared_ptr<nn::Module>{}); }),
            "DataParallel: needs a module, got a null pointer");
}

Tensor batch() {
  Generator generator(3);
  return randn({8, 3}, {}, &generator);
}

TEST(Chunks, AddToWhatGradientsThereWere) {
  Net net;
  net.eval();
  nn::DistributedDataParallel ddp(net, {.chunks = 4});
  const Tensor x = batch();
  const auto pass = [&] {
    return ddp.backward_chunks(8, [&](const nn::Chunk& c) { return ddp(x.narrow(0, c.begin, c.size)).pow(2).mean(); });
  };
  const double loss = pass();
  const Tensor once = net.a.weight.grad().clone();
  EXPECT_NEAR(loss, net(x).pow(2).mean().item(), 1e-6);
  pass();
  EXPECT_TRUE(allclose(net.a.weight.grad(), once * 2));
  EXPECT_FALSE(net.spare.weight.grad().defined());
}

TEST(Chunks, EachHasItsOwnRandomNumbersAndTheGeneratorGoesOn) {
  Net net;
  nn::DistributedDataParallel ddp(net, {.chunks = 3});
  manual_seed(7);
  std::vector<double> drawn;
  const auto pass = [&] {
    ddp.backward_chunks(8, [&](const nn::Chunk& c) {
      drawn.push_back(rand({1}).item());
      return ddp(batch().narrow(0, c.begin, c.size)).mean();
    });
  };
  pass();
  pass();
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(drawn[i], drawn[j]);
  }
  EXPECT_EQ(default_generator().seed(), 7U);
  EXPECT_EQ(default_generator().offset(), 2U);
}

// One chunk after the other, as if each were a batch.
TEST(Chunks, RunningAveragesFollowTheChunksInOrder) {
  for (const std::optional<double> momentum : {std::optional<double>(0.1), std::optional<double>()}) {
    nn::BatchNorm1d norm(3, {.momentum = momentum}), whole(3, {.momentum = momentum});
    nn::DistributedDataParallel ddp(norm, {.chunks = 4});
    const Tensor x = batch();
    for (int pass = 0; pass < 2; ++pass) {
      ddp.backward_chunks(8, [&](const nn::Chunk& c) { return ddp(x.narrow(0, c.begin, c.size)).sum(); });
      for (int chunk = 0; chunk < 4; ++chunk) whole(x.narrow(0, 2 * chunk, 2));
    }
    EXPECT_TRUE(allclose(norm.running_mean, whole.running_mean));
    EXPECT_TRUE(allclose(norm.running_var, whole.running_var));
    EXPECT_EQ(norm.num_batches_tracked.item(), 8);
  }
}

TEST(Chunks, FrozenStatisticsStand) {
  Net net;
  net.norm.running_mean.fill_(3);
  net.norm.eval();
  nn::DistributedDataParallel ddp(net, {.chunks = 2});
  const Tensor x = batch();
  Tensor first;
  ddp.backward_chunks(8, [&](const nn::Chunk& c) {
    const Tensor y = ddp(x.narrow(0, c.begin, c.size));
    if (c.index == 0) first = y.detach();
    return y.sum();
  });
  EXPECT_TRUE(allclose(first, net(x.narrow(0, 0, 4))));
  EXPECT_EQ(net.norm.running_mean.to_vector<double>()[0], 3);
}

TEST(Chunks, AreRefusedWithoutChangingAnything) {
  Net net;
  nn::DistributedDataParallel ddp(net, {.chunks = 2});
  const Tensor before = full({4, 3}, 5.0), x = batch();
  net.a.weight.set_grad(before);
  manual_seed(9);
  const auto bad = [&](const nn::Chunk& c) {
    const Tensor y = ddp(x.narrow(0, c.begin, c.size));
    return c.index == 0 ? y.mean() : y;
  };
  EXPECT_EQ(test::message_of<ValueError>([&] { ddp.backward_chunks(8, bad); }),
            "backward_chunks: the loss of a chunk must be one number, got sizes [4, 2]");
  EXPECT_TRUE(net.a.weight.grad().is_same(before));
  EXPECT_FALSE(net.b.weight.grad().defined());
  EXPECT_EQ(default_generator(), Generator(9));
  EXPECT_EQ(net.norm.running_mean.abs().sum().item(), 0);
  EXPECT_EQ(net.norm.num_batches_tracked.item(), 0);
  EXPECT_THROW(ddp.backward_chunks(0, bad), ValueError);
  EXPECT_THROW(ddp.backward_chunks(8, bad, {.create_graph = true}), ValueError);
}

TEST(Chunks, ComputeWhatIsAskedForOnly) {
  Net net;
  nn::DistributedDataParallel ddp(net, {.chunks = 2});
  const Tensor x = batch();
  ddp.backward_chunks(8, [&](const nn::Chunk& c) { return ddp(x.narrow(0, c.begin, c.size)).sum(); },
                      {.inputs = net.b.parameters()});
  EXPECT_TRUE(net.b.weight.grad().defined());
  EXPECT_FALSE(net.a.weight.grad().defined());
}

// As a loader with this process's share of each batch gives them.
TEST(Chunks, AreThoseOfALoader) {
  Net net;
  net.eval();
  nn::DistributedDataParallel ddp(net, {.chunks = 4});
  const Tensor x = batch();
  data::DataLoader loader(data::TensorDataset(x), {.batch_size = 8, .share = ddp.batch_share()});
  std::vector<std::int64_t> sizes;
  const auto loss = [&](const Tensor& part, const Tensor&) {
    sizes.push_back(part.size(0));
    return ddp(part).pow(2).mean();
  };
  for (const data::Batch& each : loader) {
    EXPECT_NEAR(ddp.backward_chunks(each, loss), net(x).pow(2).mean().item(), 1e-6);
  }
  EXPECT_EQ(sizes, std::vector<std::int64_t>(4, 2));
  data::DataLoader other(data::TensorDataset(x), {.batch_size = 8});
  for (const data::Batch& each : other)
    EXPECT_EQ(test::message_of<ValueError>([&] { ddp.backward_chunks(each, loss); }),
              "backward_chunks: the batch must be in the 4 of 4 chunks that rank 0 computes, got 0: give its loader "
              ".share = batch_share()");
  data::Batch nothing;
  nothing.chunks = {0, 0, 0, 0};
  const Tensor before = net.a.weight.grad();
  EXPECT_TRUE(std::isnan(ddp.backward_chunks(nothing, loss)));
  EXPECT_TRUE(net.a.weight.grad().is_same(before));
}

// The reducer adds up in the host's memory. The device adds within a chunk in an order of its own.
TEST(Chunks, OfANetworkOnAnotherDevice) {
  Net net;
  net.to(kFloat64);
  const Device device("emulated");
  Net there = nn::clone(net);
  there.to(device);
  nn::DistributedDataParallel ddp(net, {.chunks = 4}), other(there, {.chunks = 4});
  const Tensor x = batch().to(kFloat64), y = x.to(device);
  const double loss =
      ddp.backward_chunks(8, [&](const nn::Chunk& c) { return ddp(x.narrow(0, c.begin, c.size)).pow(2).mean(); });
  EXPECT_NEAR(
      other.backward_chunks(8, [&](const nn::Chunk& c) { return other(y.narrow(0, c.begin, c.size)).pow(2).mean(); }),
      loss, 1e-6);
  EXPECT_EQ(there.a.weight.grad().device(), device);
  EXPECT_LT((there.a.weight.grad().to(kCPU) - net.a.weight.grad()).abs().max().item(), 1e-10);
  EXPECT_TRUE(allclose(there.norm.running_mean.to(kCPU), net.norm.running_mean));
}

TEST(SyncBatchNorm, AloneIsBatchNorm) {
  Net net, other = nn::clone(net);
  EXPECT_FALSE(nn::SyncBatchNorm::is_synchronized(net.norm));
  EXPECT_EQ(&nn::SyncBatchNorm::convert_sync_batchnorm(net), &net);
  EXPECT_TRUE(nn::SyncBatchNorm::is_synchronized(net.norm));
  EXPECT_FALSE(nn::SyncBatchNorm::is_synchronized(net.a));
  EXPECT_TRUE(nn::SyncBatchNorm::is_synchronized(nn::clone(net).norm));
  EXPECT_TRUE(net.to_string().find("(norm): SyncBatchNorm(4, eps=1e-05") != std::string::npos) << net.to_string();
  EXPECT_TRUE(equal(net(batch()), other(batch())));
  EXPECT_TRUE(equal(net.norm.running_var, other.norm.running_var));
  nn::SyncBatchNorm any(3);
  EXPECT_TRUE(equal(any(ones({2, 3, 4, 5, 6})), zeros({2, 3, 4, 5, 6})));
  EXPECT_THROW(any(ones({3})), ShapeError);
  EXPECT_THROW(any(ones({2, 4})), ShapeError);
}

TEST(ZeroRedundancyOptimizer, AloneIsThePlainOne) {
  Net net, other = nn::clone(net);
  optim::ZeroRedundancyOptimizer<optim::Adam> sharded(
      {{.params = net.a.parameters(), .lr = 0.1}, {.params = net.b.parameters()}}, {.lr = 0.2});
  optim::Adam plain({{.params = other.a.parameters(), .lr = 0.1}, {.params = other.b.parameters()}}, {.lr = 0.2});
  const Tensor x = batch();
  for (int step = 0; step < 3; ++step) {
    if (step == 1) sharded.param_groups()[0].lr = plain.param_groups()[0].lr = 0.05;
    if (step == 2) {
      sharded.add_param_group({.params = net.spare.parameters()});
      plain.add_param_group({.params = other.spare.parameters()});
    }
    sharded.minimize(net(x).pow(2).mean());
    plain.minimize(other(x).pow(2).mean());
  }
  EXPECT_TRUE(equal(net.a.weight, other.a.weight));
  EXPECT_EQ(std::string(sharded.name()), "Adam");
  EXPECT_EQ(sharded.group_count(), 3U);
  EXPECT_EQ(sharded.owner(net.a.weight), 0);
  EXPECT_EQ(sharded.state_bytes(net.a.weight), plain.state_bytes(other.a.weight));
  EXPECT_THROW(sharded.owner(x), ValueError);
  sharded.shard_gradients();  // nothing to share out
  EXPECT_FALSE(sharded.shards_gradients());
  sharded.consolidate_state_dict();
  EXPECT_THROW(sharded.consolidate_state_dict(1), ValueError);
  EXPECT_EQ(sharded.state_dict().params.size(), plain.state_dict().params.size());
  plain.load_state_dict(sharded.state_dict());
  sharded.load_state_dict(plain.state_dict());
  sharded.optim().set_clipping({.max_norm = 1.0});
  EXPECT_THROW(sharded.step(), ValueError);
  EXPECT_EQ(
      test::message_of<ValueError>([&] { const optim::ZeroRedundancyOptimizer<optim::LBFGS> all(net.parameters()); }),
      "ZeroRedundancyOptimizer: LBFGS needs all parameters at once, and no rank has them all");
  EXPECT_THROW(optim::ZeroRedundancyOptimizer<optim::AdamWScheduleFree>(net.parameters()), ValueError);
}

}  // namespace
}  // namespace gradus
