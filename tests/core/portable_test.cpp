// In portable mode, trainings end in the bits that are written down here: on any number of threads, with every
// instruction set, on x86-64 and on arm64.
#include <gradus/core/parallel.h>
#include <gradus/core/portable.h>
#include <gradus/nn.h>
#include <gradus/ops.h>
#include <gradus/optim.h>
#include <gradus/optim/lr_scheduler.h>
#include <gradus/random.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "kernels/cpu/simd/simd.h"

namespace gradus {
namespace {

namespace F = nn::functional;

std::uint64_t hash_of(const std::vector<Tensor>& tensors) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const Tensor& tensor : tensors) {
    const Tensor x = tensor.detach().contiguous();
    std::vector<unsigned char> bytes(static_cast<std::size_t>(x.numel() * element_size(x.dtype())));
    std::memcpy(bytes.data(), x.const_data_ptr(), bytes.size());
    for (const unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  }
  return hash;
}

std::uint64_t hash_of(const nn::Module& net) {
  std::vector<Tensor> all;
  for (const auto& [name, tensor] : net.state_dict()) all.push_back(tensor);
  return hash_of(all);
}

// Encoder, noise and decoder, for messages over a channel.
std::uint64_t autoencoder() {
  manual_seed(1);
  nn::Sequential net{nn::Linear(16, 64), nn::Tanh(), nn::Linear(64, 7),
                     nn::Linear(7, 96),  nn::GELU(), nn::Linear(96, 16)};
  optim::AdamW optimizer(net.parameters(), {.lr = 0.01});
  optim::lr_scheduler::CosineAnnealingLR schedule(optimizer, {.T_max = 30});
  const Tensor messages = randint(0, 16, {512});
  const Tensor x = one_hot(messages, 16).to(kFloat32);
  for (int step = 0; step < 30; ++step) {
    optimizer.minimize(F::cross_entropy(net(x + 0.1 * randn({512, 16})), messages));
    schedule.step();
  }
  return hash_of(net);
}

// Convolutions of all kinds: few channels, many, strides, windows of one position, groups, transposed.
std::uint64_t convolutions() {
  manual_seed(2);
  nn::Sequential net{nn::Conv2d(3, 8, 3, {.padding = 1}),
                     nn::BatchNorm2d(8),
                     nn::ReLU(),
                     nn::MaxPool2d(2, {.stride = 2}),
                     nn::Conv2d(8, 32, 3, {.stride = 2, .padding = 1}),
                     nn::BatchNorm2d(32),
                     nn::SiLU(),
                     nn::Conv2d(32, 64, 1),
                     nn::Conv2d(64, 64, 3, {.padding = 1, .groups = 4}),
                     nn::GroupNorm(8, 64),
                     nn::ConvTranspose2d(64, 24, 2, {.stride = 2}),
                     nn::ELU(),
                     nn::AvgPool2d(2, {.stride = 2}),
                     nn::Flatten(),
                     nn::Dropout(0.2),
                     nn::Linear(24 * 7 * 7, 10)};
  optim::SGD optimizer(net.parameters(), {.lr = 0.05, .momentum = 0.9, .weight_decay = 1e-3});
  const Tensor images = randn({24, 3, 28, 28}), labels = randint(0, 10, {24});
  for (int step = 0; step < 6; ++step) optimizer.minimize(F::cross_entropy(net(images), labels));
  return hash_of(net);
}

// A product that is cut into pieces, recurrence, attention.
std::uint64_t sequences() {
  manual_seed(3);
  nn::LSTM lstm(20, 48, {.batch_first = true});
  nn::TransformerEncoderLayer layer(48, 4, {.dim_feedforward = 160, .activation = "gelu", .batch_first = true});
  nn::Linear head(48, 20);
  std::vector<Tensor> parameters;
  for (nn::Module* part :
       {static_cast<nn::Module*>(&lstm), static_cast<nn::Module*>(&layer), static_cast<nn::Module*>(&head)})
    for (const Tensor& parameter : part->parameters()) parameters.push_back(parameter);
  optim::RMSprop optimizer(parameters, {.lr = 1e-3});
  const Tensor tokens = randint(0, 20, {32, 25});
  const Tensor x = one_hot(tokens, 20).to(kFloat32);
  for (int step = 0; step < 4; ++step) {
    const Tensor y = head(layer(lstm(x).first));
    optimizer.minimize(F::cross_entropy(reshape(y, {-1, 20}), reshape(tokens, {-1})));
  }
  return hash_of(parameters);
}

// float64, where nothing else stands behind its functions than ours; and bfloat16.
std::uint64_t other_types() {
  manual_seed(4);
  nn::Linear linear(40, 40, {.dtype = kFloat64});
  optim::Adam optimizer(linear.parameters(), {.lr = 0.02});
  const Tensor x = randn({64, 40}, {.dtype = kFloat64});
  for (int step = 0; step < 10; ++step) {
    // Each in a statement of its own: C++ leaves the order of operands to the compiler, and gradients are added in the
    // order in which operations were recorded.
    const Tensor y = linear(x), doubled = 2 * y, size = abs(y) + 0.1;
    const Tensor soft = log1p(exp(y)), sine = sin(y), cosine = cos(doubled), bent = tanh(y), error = erf(y);
    const Tensor waves = sine * cosine, bends = bent * error, powers = pow(size, 1.7);
    optimizer.minimize(mean(soft + waves + bends + powers));
  }
  const Tensor left = randn({80, 96}), right = randn({96, 72});
  const Tensor half = matmul(left.to(kBFloat16), right.to(kBFloat16));
  return hash_of({linear.weight, linear.bias, half});
}

struct Training {
  const char* name;
  std::uint64_t (*run)();
  std::uint64_t hash;  // of every processor
};

const std::vector<Training> trainings{{"autoencoder", autoencoder, 0xa916a332dcc0bd3b},
                                      {"convolutions", convolutions, 0x16ab5ef4fd1d6769},
                                      {"sequences", sequences, 0xf3b80236a7ad9d91},
                                      {"other types", other_types, 0xb251f2745a8a62e5}};

class Portable : public testing::Test {
 protected:
  Portable() { set_portable(true); }
  ~Portable() override {
    set_portable(false);
    set_num_threads(threads_);
  }

 private:
  int threads_ = get_num_threads();
};

TEST_F(Portable, TrainingsEndInTheSameBitsEverywhere) {
#ifndef NDEBUG
  GTEST_SKIP() << "the hashes are those of release builds, whose compiler orders sums in vectors";
#endif
  for (const Training& training : trainings) {
    const std::uint64_t hash = training.run();
    EXPECT_EQ(hash, training.hash) << training.name << std::hex << " 0x" << hash;
  }
}

TEST_F(Portable, NeitherThreadsNorInstructionSetsChangeThem) {
#ifndef NDEBUG
  GTEST_SKIP() << "the hashes are those of release builds, whose compiler orders sums in vectors";
#endif
  for (const cpu::Isa isa : {cpu::Isa::base, cpu::Isa::v3, cpu::Isa::v4}) {
    cpu::set_isa(isa);
    set_num_threads(static_cast<int>(isa) + 1);
    for (const Training& training : trainings) EXPECT_EQ(training.run(), training.hash) << training.name;
  }
}

TEST_F(Portable, IsForTheCPUAlone) {
  set_portable(false);
  const Tensor there = ones({2}).to("emulated");
  set_portable(true);
  EXPECT_THROW(exp(there), ValueError);
}

TEST_F(Portable, KeepsDenormals) {
  EXPECT_FALSE(set_flush_denormal(true));
  EXPECT_GT((tensor({1e-38F}) * 0.01F).item(), 0);
}

TEST_F(Portable, HoldsUntilItIsLeft) {
  EXPECT_TRUE(is_portable());
  set_portable(false);
  EXPECT_FALSE(is_portable());
  // Another mode than the library's fast one, or it would cost nothing to have it always.
  if (cpu::best_isa() != cpu::Isa::base) {
    EXPECT_NE(autoencoder(), trainings.front().hash);
  }
}

}  // namespace
}  // namespace gradus
