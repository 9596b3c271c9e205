// Receipts: what a run did to every parameter, as a file that a checkpoint is compared with.
#include <gmock/gmock.h>
#include <gradus/gradus.h>
#include <gradus/training/receipt.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/message.h"
#include "support/temp_folder.h"

namespace gradus::training {
namespace {

namespace F = nn::functional;
using nlohmann::ordered_json;
using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

struct Net : nn::Module {
  nn::Linear a = add("a", nn::Linear(4, 8));
  nn::BatchNorm1d norm = add("norm", nn::BatchNorm1d(8));
  nn::Linear b = add("b", nn::Linear(8, 3));
  Tensor forward(const Tensor& x) override { return b(relu(norm(a(x)))); }
};

struct Receipts : ::testing::Test {
  void SetUp() override {
    manual_seed(3);
    x = randn({16, 4});
    y = randint(0, 3, {16});
  }
  Tensor loss(nn::Module& net) const { return F::cross_entropy(net(x), y); }
  Tensor x, y;
};

const ReceiptRow& row(const ReceiptReport& report, const std::string& name) {
  for (const ReceiptRow& one : report.rows)
    if (one.name == name) return one;
  throw ValueError("no row " + name);
}

TEST_F(Receipts, HashesWhatLiesOnAnotherDevice) {
  const Device device("emulated");
  Net net;
  Receipt here(net);
  const std::string before = row(here.report(), "a.weight").before;
  net.to(device);
  Receipt receipt(net);
  EXPECT_EQ(row(receipt.report(), "a.weight").before, before);
  optim::SGD opt(net.b.parameters(), {.lr = 0.1});
  opt.minimize(F::cross_entropy(net(x.to(device)), y.to(device)));
  const ReceiptReport report = receipt.report();
  EXPECT_EQ(row(report, "a.weight").after, before);
  EXPECT_NE(row(report, "b.weight").after, row(report, "b.weight").before);
  EXPECT_TRUE(verify(report, net.state_dict()).holds());
}

TEST_F(Receipts, SaysWhatWasDoneToEveryParameter) {
  Net net;
  nn::freeze(net.a);
  optim::SGD opt({{.params = net.norm.parameters(), .lr = 0.1}, {.params = net.b.parameters(), .lr = 0.01}}, {});
  Receipt receipt(net, {{"sgd", opt}});
  receipt.begin_phase("one");
  for (int i = 0; i < 3; ++i) opt.minimize(loss(net));
  receipt.begin_phase("two");
  opt.param_groups()[1].lr = 0.5;
  opt.minimize(loss(net));
  const ReceiptReport report = receipt.report();
  EXPECT_EQ(report.steps, 4);
  ASSERT_EQ(report.phases.size(), 2U);
  EXPECT_EQ(report.phases[0].steps, 3);
  const ReceiptRow &frozen = row(report, "a.weight"), &trained = row(report, "b.weight");
  EXPECT_TRUE(frozen.frozen);
  EXPECT_EQ(frozen.before, frozen.after);
  EXPECT_TRUE(frozen.owners.empty());
  EXPECT_FALSE(trained.frozen);
  EXPECT_NE(trained.before, trained.after);
  ASSERT_EQ(trained.owners.size(), 1U);
  EXPECT_EQ(trained.owners[0].optimizer, "sgd");
  EXPECT_EQ(trained.owners[0].steps, 4);
  EXPECT_EQ(trained.owners[0].first_rate, 0.01);
  EXPECT_EQ(trained.owners[0].highest_rate, 0.5);
  ASSERT_EQ(trained.phases.size(), 2U);
  EXPECT_EQ(trained.phases[0].trainable_steps, 3);
  EXPECT_NE(trained.phases[0].hash, trained.phases[1].hash);
  EXPECT_EQ(trained.phases[1].hash, trained.after);
  EXPECT_TRUE(row(report, "norm.running_mean").buffer);
  EXPECT_TRUE(report.separate());
  EXPECT_THAT(report.to_string(), HasSubstr("frozen, unchanged"));
}

// hashlib.sha256(numpy.array([1, 2], dtype="float32").tobytes()).hexdigest()
TEST_F(Receipts, HashesAreThoseOfTheValues) {
  nn::Linear net(2, 1, {.bias = false});
  {
    const NoGrad guard;
    net.weight.copy_(tensor({1.0, 2.0}).view({1, 2}));
  }
  EXPECT_EQ(row(Receipt(net).report(), "weight").before,
            "b9c80b5adeca450753a16950c3cc655d271f7bef7a485bc83f112b72fef21d37");
}

TEST_F(Receipts, NoOptimizerMovesWhatAnotherOwns) {
  nn::Linear G(4, 4), D(4, 1);
  optim::Adam g(G, {.lr = 0.1}), d(D, {.lr = 0.1});
  Receipt receipt({{"G", G}, {"D", D}}, {{"g", g}, {"d", d}});
  for (int i = 0; i < 5; ++i) {
    d.minimize(D(G(x).detach()).mean());
    g.minimize(-D(G(x)).mean());
  }
  EXPECT_TRUE(receipt.report().separate());
}

TEST_F(Receipts, WhoMovesWhatItDoesNotOwnIsNamed) {
  nn::Linear G(4, 4), D(4, 1);
  // Other tensors on the memory of D: of the one versions tell, of the other, which is past the library, only hashes.
  Tensor bias = D.bias.detach(), weight = from_blob(D.weight.data_ptr(), {1, 4}, kFloat32);
  optim::SGD first({bias.requires_grad_()}, {.lr = 0.1}), second({G.bias, weight.requires_grad_()}, {.lr = 0.1});
  Receipt receipt({{"G", G}, {"D", D}}, {{"first", first}});
  for (Tensor x : {bias, weight, Tensor(G.bias)}) x.set_grad(ones(x.sizes()));
  first.step();
  second.step();
  const ReceiptReport report = receipt.report();
  EXPECT_FALSE(report.separate());
  EXPECT_THAT(verify(report, D.state_dict(), "D").trespasses,
              ElementsAre("first moved D.bias, which it does not own", "SGD moved D.weight, which it does not own"));
}

TEST_F(Receipts, ACheckpointIsComparedWithIt) {
  Net net;
  nn::freeze(net.a);
  optim::SGD opt(net.b, {.lr = 0.1});
  Receipt receipt(net, {{"opt", opt}});
  for (int i = 0; i < 3; ++i) opt.minimize(loss(net));
  const test::TempFolder folder;
  receipt.report().save(folder / "receipt.json");
  const ReceiptReport report = read_receipt(folder / "receipt.json");
  io::save(folder / "net.pth", net.state_dict());
  nn::StateDict dict = io::load_state_dict(folder / "net.pth");
  const ReceiptVerdict good = verify(report, dict);
  EXPECT_TRUE(good.holds()) << good.to_string();
  EXPECT_THAT(good.frozen, UnorderedElementsAre("a.weight", "a.bias"));
  EXPECT_THAT(good.to_string(), HasSubstr("frozen: unchanged bits"));

  Tensor other = dict.at("a.weight").clone();
  other.data_ptr<float>()[3] = std::nextafter(other.data_ptr<float>()[3], 9.0F);  // the last bit
  dict.set("a.weight", other);
  EXPECT_THAT(verify(report, dict).frozen_changed, ElementsAre("a.weight"));
  EXPECT_FALSE(verify(report, dict).frozen_unchanged());
  dict.set("a.weight", other.to(kFloat64));
  EXPECT_THAT(verify(report, dict).unlike, ElementsAre("a.weight is float64 [8, 4], the receipt's is float32 [8, 4]"));
  dict.erase("a.weight");
  EXPECT_THAT(verify(report, dict).missing, ElementsAre("a.weight"));
  dict.set("b.bias", zeros({3}));
  EXPECT_THAT(verify(report, dict).trained_differ, ElementsAre("b.bias"));
  EXPECT_THAT(message_of<ValueError>([&] { verify(report, dict, "net"); }), HasSubstr("no network 'net'"));
}

TEST_F(Receipts, SurvivesAResumedRun) {
  const auto run = [&](bool stops) {
    manual_seed(9);
    Net net;
    nn::freeze(net.a);
    auto opt = std::make_unique<optim::SGD>(net, optim::SGDOptions{.lr = 0.1});
    auto receipt = std::make_unique<Receipt>(net, std::vector<NamedOptimizer>{{"opt", *opt}});
    receipt->begin_phase("all");
    for (int i = 0; i < 6; ++i) {
      if (stops && i == 3) {  // another process would read this from a checkpoint
        const std::string text = receipt->report().to_json();
        receipt.reset();
        opt = std::make_unique<optim::SGD>(net, optim::SGDOptions{.lr = 0.1});
        receipt = std::make_unique<Receipt>(net, std::vector<NamedOptimizer>{{"opt", *opt}});
        receipt->resume(parse_receipt(text));
        receipt->begin_phase("all");
      }
      opt->minimize(loss(net));
    }
    return receipt->report();
  };
  const ReceiptReport whole = run(false), parts = run(true);
  EXPECT_EQ(parts.resumed, 1);
  EXPECT_EQ(parts.steps, whole.steps);
  EXPECT_TRUE(parts.broken.empty());
  ASSERT_EQ(parts.phases.size(), 1U);
  for (std::size_t i = 0; i < whole.rows.size(); ++i) {
    const ReceiptRow &a = whole.rows[i], &b = parts.rows[i];
    EXPECT_EQ(a.before, b.before) << a.name;
    EXPECT_EQ(a.after, b.after) << a.name;
    EXPECT_EQ(a.frozen, b.frozen) << a.name;
    ASSERT_EQ(a.phases.size(), b.phases.size()) << a.name;
    EXPECT_EQ(a.phases[0].trainable_steps, b.phases[0].trainable_steps) << a.name;
    ASSERT_EQ(a.owners.size(), b.owners.size()) << a.name;
    for (std::size_t k = 0; k < a.owners.size(); ++k) EXPECT_EQ(a.owners[k].steps, b.owners[k].steps) << a.name;
  }
}

TEST_F(Receipts, OtherBitsThanThoseItStoppedWithAreNamed) {
  Net net;
  optim::SGD opt(net, {.lr = 0.1});
  Receipt first(net, {{"opt", opt}});
  opt.minimize(loss(net));
  const ReceiptReport before = first.report();
  {
    const NoGrad guard;
    net.b.bias += 1;
  }
  Receipt second(net, {{"opt", opt}});
  second.resume(before);
  EXPECT_THAT(second.report().broken, ElementsAre("b.bias"));
  nn::Linear other(2, 2);
  Receipt foreign(other);
  EXPECT_THAT(message_of<ValueError>([&] { foreign.resume(before); }), HasSubstr("of other networks"));
}

TEST_F(Receipts, WhatIsEditedDamagedOrForeignIsRefused) {
  Net net;
  const std::string text = Receipt(net).report().to_json();
  EXPECT_EQ(parse_receipt(text).rows.size(), 9U);
  ordered_json json = ordered_json::parse(text);
  const auto refused = [](const std::string& changed) {
    return message_of<IoError>([&] { parse_receipt(changed, "r.json"); });
  };
  ordered_json edited = json;
  edited["parameters"][0]["after"] = std::string(64, '0');
  EXPECT_THAT(refused(edited.dump()), HasSubstr("'r.json' is damaged, or was edited"));
  std::string deep = edited.dump();
  deep.insert(1, "\"more\": " + std::string(500'000, '[') + std::string(500'000, ']') + ", ");
  EXPECT_THAT(refused(deep), HasSubstr("'r.json' is not a receipt"));
  edited = json;
  edited.erase("checksum");
  EXPECT_THAT(refused(edited.dump()), HasSubstr("edited"));
  edited = json;
  edited["version"] = 2;
  EXPECT_THAT(refused(edited.dump()), HasSubstr("format 2"));
  EXPECT_THAT(refused(text.substr(0, text.size() / 2)), HasSubstr("is not a receipt"));
  EXPECT_THAT(refused("{}"), HasSubstr("is not a receipt"));
  EXPECT_THAT(refused("{\"format\": 1e999}"), HasSubstr("'r.json' is not a receipt"));
  EXPECT_THAT(refused(""), HasSubstr("is not a receipt"));
  EXPECT_THAT(message_of<IoError>([] { read_receipt("/nowhere/receipt.json"); }), HasSubstr("/nowhere/receipt.json"));
  EXPECT_THAT(message_of<ValueError>([] { Receipt(std::vector<optim::AuditedModels::Model>{}); }),
              HasSubstr("at least one network"));
}

}  // namespace
}  // namespace gradus::training
