// Recurrent layers beside what PyTorch's traces say (sequences_test.cpp): the kernels against the formula of
// operations, types, threads, the graph, packed sequences and errors.
#include <gradus/autograd.h>
#include <gradus/flops.h>
#include <gradus/gradus.h>

#include <gtest/gtest.h>

#include "kernels/cpu/simd/simd.h"
#include "support/formula.h"
#include "support/gradcheck.h"
#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;

namespace rnn = nn::utils::rnn;
using Tensors = std::vector<Tensor>;

struct Outcome {
  Tensors results, gradients;
};

// Results, and gradients of a weighted sum of them by `inputs` and all parameters.
template <class M, class Call>
Outcome outcome_of(M& module, const Tensors& inputs, const Call& call, bool create_graph = false) {
  Outcome outcome;
  outcome.results = call();
  Tensor loss = zeros({}, {.dtype = outcome.results[0].dtype()});
  for (std::size_t i = 0; i < outcome.results.size(); ++i) {
    const Tensor& y = outcome.results[i];
    loss = loss + sum(y * test::uniform("y" + std::to_string(i), y.sizes()).to(y.dtype()));
  }
  Tensors by = inputs;
  for (const Tensor& p : module.parameters()) by.push_back(p);
  outcome.gradients = autograd::grad({loss}, by, {}, {.create_graph = create_graph});
  return outcome;
}

void expect_close(const Outcome& a, const Outcome& b, double tolerance) {
  ASSERT_EQ(a.results.size(), b.results.size());
  ASSERT_EQ(a.gradients.size(), b.gradients.size());
  const auto close = [&](const Tensor& x, const Tensor& y, const std::string& what) {
    const double off = (x.detach().to(kFloat64) - y.detach().to(kFloat64)).abs().max().item();
    EXPECT_LE(off, tolerance * (1 + y.detach().abs().max().item())) << what;
  };
  for (std::size_t i = 0; i < a.results.size(); ++i) close(a.results[i], b.results[i], "result " + std::to_string(i));
  for (std::size_t i = 0; i < a.gradients.size(); ++i) {
    close(a.gradients[i], b.gradients[i], "gradient " + std::to_string(i));
  }
}

bool same_bits(const Outcome& a, const Outcome& b) {
  bool same = true;
  for (std::size_t i = 0; i < a.results.size(); ++i) same = same && equal(a.results[i], b.results[i]);
  for (std::size_t i = 0; i < a.gradients.size(); ++i) same = same && equal(a.gradients[i], b.gradients[i]);
  return same;
}

// Sizes that are cut into pieces, and fill no whole vectors; lengths that differ.
constexpr std::int64_t kLength = 6, kBatch = 34, kIn = 21, kHidden = 137;

rnn::PackedSequence packed_input(const Tensor& x) {
  std::vector<std::int64_t> lengths;
  for (std::int64_t n = 0; n < kBatch; ++n) lengths.push_back(1 + n * 7 % kLength);
  return rnn::pack_padded_sequence(x, lengths, false, false);
}

template <class F>
void with_each_kind(Dtype dtype, const F& check) {
  const Tensor x = test::uniform("x", {kLength, kBatch, kIn}).to(dtype).requires_grad_();
  const auto run = [&](auto module, const std::string& what) {
    SCOPED_TRACE(what);
    test::fill(module);
    for (const Tensor& p : module.parameters()) NoGrad(), p.detach().mul_(0.2);
    const auto results = [&](const auto& y, const auto& state) {
      if constexpr (std::is_same_v<std::decay_t<decltype(state)>, Tensor>) {
        return Tensors{y, state};
      } else {
        return Tensors{y, state.h, state.c};
      }
    };
    check(module, x, [&] {
      const auto [y, state] = module(x);
      return results(y, state);
    });
    check(module, x, [&] {
      const auto [y, state] = module(packed_input(x));
      return results(y.data, state);
    });
  };
  run(nn::LSTM(kIn, kHidden, {.bidirectional = true, .dtype = dtype}), "lstm");
  run(nn::LSTM(kIn, kHidden, {.bidirectional = true, .proj_size = 70, .dtype = dtype}), "projected");
  run(nn::GRU(kIn, kHidden, {.bidirectional = true, .dtype = dtype}), "gru");
  run(nn::GRU(kIn, kHidden, {.bias = false, .dtype = dtype}), "gru without bias");
  run(nn::RNN(kIn, kHidden, {.bidirectional = true, .dtype = dtype}), "tanh");
  run(nn::RNN(kIn, kHidden, {.nonlinearity = "relu", .bidirectional = true, .dtype = dtype}), "relu");
}

TEST(Recurrent, KernelsAgreeWithTheFormulaInBothTypes) {
  for (const Dtype dtype : {kFloat64, kFloat32}) {
    with_each_kind(dtype, [&](auto& module, const Tensor& x, const auto& call) {
      expect_close(outcome_of(module, {x}, call), outcome_of(module, {x}, call, true),
                   dtype == kFloat64 ? 1e-12 : 1e-4);
    });
  }
}

TEST(Recurrent, InstructionSetsAgree) {
  with_each_kind(kFloat32, [](auto& module, const Tensor& x, const auto& call) {
    const Outcome best = outcome_of(module, {x}, call);
    for (const cpu::Isa isa : {cpu::Isa::base, cpu::Isa::v3}) {
      cpu::set_isa(isa);
      expect_close(outcome_of(module, {x}, call), best, 1e-4);
    }
    cpu::set_isa(cpu::best_isa());
  });
}

TEST(Recurrent, BitsDoNotDependOnTheNumberOfThreads) {
  const int before = get_num_threads();
  with_each_kind(kFloat32, [](auto& module, const Tensor& x, const auto& call) {
    set_num_threads(1);
    const Outcome one = outcome_of(module, {x}, call);
    set_num_threads(3);
    EXPECT_TRUE(same_bits(outcome_of(module, {x}, call), one));
    EXPECT_TRUE(same_bits(outcome_of(module, {x}, call), one));
  });
  set_num_threads(before);
}

TEST(Recurrent, SecondGradientsOfPackedSequences) {
  const Tensor x = test::uniform("x", {3, 3, 2}).requires_grad_();
  const std::vector<std::int64_t> lengths{2, 3, 1};
  const auto check = [&](auto module) {
    module.to(kFloat64);
    test::fill(module);
    Tensors inputs{x};
    for (const Tensor& p : module.parameters()) inputs.push_back(p);
    const auto fn = [&](const Tensors& given) {
      const auto [y, state] = module(rnn::pack_padded_sequence(given[0], lengths, false, false));
      Tensor last;
      if constexpr (std::is_same_v<decltype(module), nn::LSTM>) {
        last = cat(Tensors{state.h, state.c}, -1);
      } else {
        last = state;
      }
      return sum(rnn::pad_packed_sequence(y).first * 2) + sum(square(last));
    };
    EXPECT_TRUE(test::gradcheck(fn, inputs));
    EXPECT_TRUE(test::gradgradcheck(fn, inputs));
  };
  check(nn::LSTM(2, 2, {.bidirectional = true}));
  check(nn::LSTM(2, 3, {.proj_size = 2}));
  check(nn::GRU(2, 2, {.bidirectional = true}));
  check(nn::RNN(2, 2, {.bidirectional = true}));
  check(nn::RNN(2, 2, {.nonlinearity = "relu"}));
}

TEST(Recurrent, GradientsOfInitialStatesAlone) {
  nn::LSTM lstm(2, 3, {.dtype = kFloat64});
  lstm.requires_grad_(false);
  const Tensor x = test::uniform("x", {3, 2, 2});
  const Tensors states{test::uniform("h", {1, 2, 3}).requires_grad_(), test::uniform("c", {1, 2, 3}).requires_grad_()};
  EXPECT_TRUE(test::gradcheck([&](const Tensors& s) { return sum(square(lstm(x, {s[0], s[1]}).second.c)); }, states));
}

TEST(Recurrent, BFloat16FollowsFloat32) {
  const Tensor x = test::uniform("x", {5, 3, 4}).to(kBFloat16).requires_grad_();
  const auto check = [&](auto narrow_one, auto wide_one) {
    const auto wide = narrow_one.parameters();
    const auto parameters = wide_one.parameters();
    for (std::size_t i = 0; i < wide.size(); ++i) NoGrad(), parameters[i].detach().copy_(wide[i].detach());
    const Tensor wide_x = x.detach().to(kFloat32).requires_grad_();
    const Outcome low = outcome_of(narrow_one, {x}, [&] { return Tensors{narrow_one(x).first}; });
    EXPECT_EQ(low.results[0].dtype(), kBFloat16);
    EXPECT_EQ(low.gradients[1].dtype(), kBFloat16);
    expect_close(low, outcome_of(wide_one, {wide_x}, [&] { return Tensors{wide_one(wide_x).first}; }), 0.02);
  };
  check(nn::LSTM(4, 6, {.dtype = kBFloat16}), nn::LSTM(4, 6));
  check(nn::GRU(4, 6, {.dtype = kBFloat16}), nn::GRU(4, 6));
  check(nn::RNN(4, 6, {.dtype = kBFloat16}), nn::RNN(4, 6));
  nn::LSTM lstm(4, 6);
  const Autocast autocast;
  EXPECT_EQ(lstm(randn({5, 3, 4})).first.dtype(), kBFloat16);
}

std::int64_t nodes_of(const Tensor& y) {
  std::vector<Ref<Node>> nodes{y.grad_fn()};
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const Edge& edge : nodes[i]->edges())
      if (edge.node) nodes.push_back(edge.node);
  }
  return static_cast<std::int64_t>(nodes.size());
}

TEST(Recurrent, TheGraphDoesNotGrowWithTheLength) {
  nn::GRU gru(3, 4);
  nn::LSTM lstm(3, 4);
  const auto of_gru = [&](std::int64_t length) { return nodes_of(gru(randn({length, 2, 3})).first); };
  const auto of_lstm = [&](std::int64_t length) { return nodes_of(lstm(randn({length, 2, 3})).first); };
  EXPECT_LE(of_gru(2), 3);
  EXPECT_EQ(of_gru(2), of_gru(50));
  EXPECT_LE(of_lstm(2), 4);
  EXPECT_EQ(of_lstm(2), of_lstm(50));
}

TEST(Recurrent, CountsItsFlops) {
  constexpr std::int64_t l = 5, n = 2, i = 3, h = 4;
  nn::LSTM lstm(i, h);
  const Tensor x = randn({l, n, i}).requires_grad_();
  FlopCounter counter;
  const Tensor y = sum(lstm(x).first);
  EXPECT_EQ(counter.by_operation().at("lstm").multiply_adds, l * n * 4 * h * (i + h));
  y.backward();
  EXPECT_EQ(counter.by_operation().at("lstm_backward").multiply_adds, l * n * 4 * h * h);
  // The gradients of both weights and of x.
  EXPECT_EQ(counter.by_operation().at("mm").multiply_adds, l * n * 4 * h * (2 * i + h));
}

TEST(Recurrent, CellsAreLayersOfOnePosition) {
  nn::LSTM lstm(3, 5);
  nn::LSTMCell cell(3, 5);
  const auto from = lstm.parameters(), to = cell.parameters();
  for (std::size_t i = 0; i < from.size(); ++i) NoGrad(), to[i].detach().copy_(from[i].detach());
  const Tensor x = randn({4, 2, 3});
  nn::LSTMState state;
  for (std::int64_t t = 0; t < 4; ++t) state = cell(x[t], state);
  const auto [y, last] = lstm(x);
  EXPECT_TRUE(allclose(state.h, last.h[0]) && allclose(state.c, last.c[0]));
}

TEST(Recurrent, AnEmptyBatchHasEmptyResults) {
  nn::LSTM lstm(3, 5, {.num_layers = 2, .bidirectional = true});
  const auto [y, state] = lstm(zeros({4, 0, 3}));
  EXPECT_EQ(y.sizes(), (Shape{4, 0, 10}));
  EXPECT_EQ(state.c.sizes(), (Shape{4, 0, 5}));
  sum(y).backward();
  EXPECT_EQ(lstm.parameters()[0].grad().abs().max().item(), 0);
}

TEST(Recurrent, AResultChangedInPlaceIsSeen) {
  nn::GRU gru(3, 4);
  Tensor y = gru(randn({2, 2, 3})).first;
  y.mul_(2);
  EXPECT_THROW(sum(y).backward(), AutogradError);
}

// --- packed sequences ------------------------------------------------------------------------------------------------

TEST(PackedSequence, HoldsPositionsLongestFirst) {
  const Tensor x = arange(8).reshape({4, 2});  // sequences 0 2 (4 6) and 1 3 5 7
  const auto packed = rnn::pack_padded_sequence(x, {2, 4}, false, false);
  EXPECT_TRUE(equal(packed.data, tensor({1, 0, 3, 2, 5, 7})));
  EXPECT_TRUE(equal(packed.batch_sizes, tensor({2, 2, 1, 1})));
  EXPECT_TRUE(equal(packed.sorted_indices, tensor({1, 0})));
  EXPECT_TRUE(equal(packed.unsorted_indices, tensor({1, 0})));
  const auto [padded, lengths] = rnn::pad_packed_sequence(packed, false, -1);
  EXPECT_TRUE(equal(padded, tensor({{0, 1}, {2, 3}, {-1, 5}, {-1, 7}})));
  EXPECT_TRUE(equal(lengths, tensor({2, 4})));
  const auto sorted = rnn::pack_padded_sequence(x.t(), tensor({4, 1}), true);
  EXPECT_TRUE(equal(sorted.data, tensor({0, 1, 2, 4, 6})));
  EXPECT_FALSE(sorted.sorted_indices.defined());
  const auto longer = rnn::pad_packed_sequence(sorted, true, 0, 5);
  EXPECT_TRUE(equal(longer.first, tensor({{0, 2, 4, 6, 0}, {1, 0, 0, 0, 0}})));
}

TEST(PackedSequence, SequencesOfAList) {
  const Tensors sequences{randn({3, 2}), randn({1, 2}), randn({2, 2})};
  EXPECT_EQ(rnn::pad_sequence(sequences).sizes(), (Shape{3, 3, 2}));
  const Tensor left = rnn::pad_sequence(sequences, true, 7, "left");
  EXPECT_TRUE(equal(left[1][2], sequences[1][0]));
  EXPECT_EQ(left[1][0][0].item(), 7);
  const Tensors again = rnn::unpack_sequence(rnn::pack_sequence(sequences, false));
  for (std::size_t i = 0; i < sequences.size(); ++i) EXPECT_TRUE(equal(again[i], sequences[i]));
}

TEST(PackedSequence, RunsOnAnotherDevice) {
  nn::LSTM lstm(3, 4);
  const Tensor x = randn({4, 2, 3}), h = randn({1, 2, 4}), c = randn({1, 2, 4});
  const auto pack = [](const Tensor& padded) { return rnn::pack_padded_sequence(padded, {2, 4}, false, false); };
  const auto [y, state] = lstm(pack(x), {h, c});
  const Device device("emulated");
  lstm.to(device);
  const auto [there, state_there] = lstm(pack(x.to(device)), {h.to(device), c.to(device)});
  EXPECT_TRUE(allclose(there.data.cpu(), y.data));
  EXPECT_TRUE(allclose(state_there.h.cpu(), state.h));
  EXPECT_TRUE(allclose(state_there.c.cpu(), state.c));
}

TEST(PackedSequence, RefusesWhatCannotBe) {
  const Tensor x = randn({4, 2, 3});
  EXPECT_EQ(
      message_of([&] {
        rnn::pack_padded_sequence(x, {2, 4});
      }),
      "pack_padded_sequence: lengths must not increase; pass enforce_sorted = false to have the sequences sorted, "
      "got [2, 4]");
  EXPECT_EQ(message_of([&] {
              rnn::pack_padded_sequence(x, {5, 4});
            }),
            "pack_padded_sequence: lengths must be between 1 and the input's 4, got 5");
  EXPECT_THROW(rnn::pack_padded_sequence(x, {4, 0}), ValueError);
  EXPECT_THROW(rnn::pack_padded_sequence(x, {4}), ShapeError);
  EXPECT_THROW(rnn::pack_padded_sequence(randn({4, 0, 3}), std::vector<std::int64_t>{}), ShapeError);
  EXPECT_THROW(rnn::pack_padded_sequence(x, randn({2})), ValueError);
  EXPECT_THROW(rnn::pack_padded_sequence(randn({4}), {4}), ShapeError);
  const auto packed = rnn::pack_padded_sequence(x, {4, 2});
  EXPECT_EQ(message_of([&] { rnn::pad_packed_sequence(packed, false, 0, 3); }),
            "pad_packed_sequence: total_length must be at least the length of the longest sequence, got 3 for 4");
  EXPECT_THROW(rnn::pad_sequence({}), ValueError);
  EXPECT_THROW(rnn::pad_sequence({randn({2, 3}), randn({2, 4})}), ShapeError);
  EXPECT_THROW(rnn::pad_sequence({randn({2})}, false, 0, "top"), ValueError);

  nn::GRU gru(3, 4);
  auto odd = rnn::pack_padded_sequence(x, {2, 4}, false, false);
  odd.sorted_indices = narrow(odd.sorted_indices, 0, 0, 1);
  EXPECT_EQ(message_of([&] {
              gru(odd, randn({1, 2, 4}));
            }),
            "GRU: sorted_indices and unsorted_indices must have one entry for each of the 2 sequences, got [1]");
  rnn::PackedSequence wrong = packed;
  for (const Tensor& sizes : {tensor({2, 2, 1, 2}), tensor({1, 2, 2, 1}), tensor({2, 2, 1}), tensor({3, 2, 1, 0}),
                              tensor({2.0, 2.0, 1.0, 1.0}), Tensor()}) {
    wrong.batch_sizes = sizes;
    EXPECT_THROW(gru(wrong), ValueError);
    EXPECT_THROW(rnn::pad_packed_sequence(wrong), ValueError);
  }
  wrong = packed;
  wrong.unsorted_indices = tensor({0, 2});
  EXPECT_THROW(rnn::pad_packed_sequence(wrong), ValueError);
  EXPECT_EQ(message_of([&] { nn::GRU(4, 4)(packed); }), "GRU: needs packed data [rows, 4], got [6, 3]");
  EXPECT_EQ(message_of([&] { gru(packed, zeros({1, 3, 4})); }), "GRU: h_0 must be [1, 2, 4], got [1, 3, 4]");
  EXPECT_EQ(message_of([&] {
              gru(randn({2, 2, 3}, {.dtype = kFloat64}));
            }),
            "GRU: x, parameters and states must have one floating-point type, got float64 and, for weight_ih, "
            "float32");
}

}  // namespace
}  // namespace gradus
