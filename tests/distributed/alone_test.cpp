// A program that was started alone.
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include "autograd/gradient_sink.h"
#include "support/temp_folder.h"

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

}  // namespace
}  // namespace gradus
