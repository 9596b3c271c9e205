// One file for everything: what is saved comes back, a run that goes on gives the same bits, and a refusal changes
// nothing.
#include <gmock/gmock.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include "support/message.h"
#include "support/paths.h"
#include "support/temp_folder.h"
#include "training/same.h"

namespace gradus::training {
namespace {

using io::Value;
using test::expect_same;
using test::message_of;
using test::TempFolder;
using testing::HasSubstr;

// A loader as a user may write one.
struct Counter {
  std::int64_t position = 0;
  bool refuses = false;
  Value state_dict() const { return Value::dict({{"position", position}}); }
  void load_state_dict(const Value& value) {
    if (refuses) throw ValueError("Counter: refuses");
    position = value.as_int({"position"});
  }
};

struct Seeded {
  explicit Seeded(std::uint64_t seed) { manual_seed(seed); }
};

// A run with all that a checkpoint may hold.
struct Everything : Seeded {
  nn::Sequential net{nn::Linear(4, 8), nn::ReLU(), nn::Dropout(0.2), nn::Linear(8, 3)};
  nn::Linear head{3, 2}, extra{2, 2};
  optim::swa_utils::AveragedModel<nn::Sequential> ema{net,
                                                      {.multi_avg_fn = optim::swa_utils::get_ema_multi_avg_fn(0.9)}};
  optim::AdamW adam{net.parameters(), {.lr = 0.01}};
  optim::Lookahead lookahead{adam, {.k = 3}};
  optim::SGD sgd{head.parameters(), {.lr = 0.1, .momentum = 0.9}};
  optim::AdamWScheduleFree free{extra.parameters(), {.lr = 0.01}};
  optim::Set set{{{"sgd", sgd}, {"free", free}}, optim::Ownership::any};
  optim::lr_scheduler::CosineAnnealingLR cosine{adam, {.T_max = 50}};
  optim::lr_scheduler::ReduceLROnPlateau plateau{sgd, {.factor = 0.5, .patience = 1}};
  Generator noise{7};
  Counter loader;
  Tensor order;
  std::int64_t step = 0;
  double loss = 0;
  bool frozen = false;
  std::string phase = "warm-up";
  Checkpoint state;

  explicit Everything(std::uint64_t seed) : Seeded(seed) {
    state.add("net", net);
    state.add("head", head);
    state.add("extra", extra);
    state.add("ema", ema);
    state.add("lookahead", lookahead);
    state.add("set", set);
    state.add("cosine", cosine);
    state.add("plateau", plateau);
    state.add("noise", noise);
    state.add("loader", loader);
    state.add("order", order);
    state.add("step", step);
    state.add("loss", loss);
    state.add("frozen", frozen);
    state.add("phase", phase);
    state.options = Value::dict({{"lr", 0.01}, {"name", "everything"}});
  }

  void train(int steps) {
    for (int i = 0; i < steps; ++i) {
      if (step % 7 == 0) order = randperm(5 + step);
      if (step == 9) nn::freeze(net[0]);
      if (step == 17) nn::unfreeze(net[0]);
      if (step == 5) head.bias.requires_grad_(false);
      if (step == 20) phase = "main";
      frozen = nn::is_frozen(net[0]);
      const Tensor x = randn({6, 4}, {}, &noise) + static_cast<double>(order[0].item<std::int64_t>());
      const Tensor y = extra(head(net(x)));
      const Tensor l = (y * y).mean() + randn({}) * 0.01;
      lookahead.zero_grad();
      set.zero_grad();
      l.backward();
      lookahead.step();
      set.step();
      ema.update_parameters(net);
      cosine.step();
      loss = l.item();
      plateau.step(loss);
      loader.position += 6;
      ++step;
    }
  }
};

TEST(Checkpoint, ARunThatGoesOnGivesTheSameBits) {
  for (const int first : {0, 1, 5, 9, 12, 17, 23, 30}) {
    const TempFolder folder;
    Everything whole(3);
    whole.train(31);
    const Value wanted = whole.state.state_dict();
    {
      Everything a(3);
      a.train(first);
      a.state.save(folder / "run.pth");
    }
    Everything b(99);  // other weights, other random numbers
    b.train(2);        // and state of its own
    const LoadReport report = b.state.load(folder / "run.pth");
    EXPECT_EQ(report.loaded.size(), 16U);
    EXPECT_EQ(b.step, first);
    b.train(31 - first);
    SCOPED_TRACE(first);
    expect_same(b.state.state_dict(), wanted);
    EXPECT_EQ(b.phase, "main");
  }
}

TEST(Checkpoint, SaysWhatAFileHolds) {
  const TempFolder folder;
  Everything a(1);
  a.state.save(folder / "run.pth");
  const CheckpointInfo info = read_info(folder / "run.pth");
  EXPECT_EQ(info.format_version, 1);
  EXPECT_EQ(info.gradus_version, version());
  EXPECT_EQ(info.options.as_double({"lr"}), 0.01);
  EXPECT_EQ(info.options.as_string({"name"}), "everything");
  EXPECT_EQ(info.parts.front(), "default_generator");
  EXPECT_EQ(info.parts.back(), "phase");
  EXPECT_FALSE(info.step);
  // And a network alone can be taken out of it.
  nn::Linear head(3, 2);
  head.load_state_dict(io::load_state_dict(folder / "run.pth", {.at = {"parts", "head", "state"}}));
  EXPECT_TRUE(equal(head.weight, a.head.weight));
}

// tests/fixtures/checkpoint_v1.pth has all types of parts. To write the file of another format:
// GRADUS_TEST_KEEP=FOLDER gradus_tests_training --gtest_filter='*OfVersion1*'
TEST(Checkpoint, FilesOfVersion1StayReadable) {
  if (const char* keep = std::getenv("GRADUS_TEST_KEEP")) {
    Everything a(3);
    a.train(12);
    a.state.save(std::string(keep) + "/checkpoint.pth");
  }
  const std::string path = test::source_path("tests/fixtures/checkpoint_v1.pth");
  EXPECT_EQ(read_info(path).format_version, 1);
  Everything b(4);
  b.state.load(path);
  EXPECT_EQ(b.step, 12);
  EXPECT_EQ(b.loader.position, 72);
  EXPECT_EQ(b.phase, "warm-up");
  EXPECT_TRUE(nn::is_frozen(b.net[0]));
  EXPECT_FALSE(b.head.bias.requires_grad());
  EXPECT_EQ(b.noise.seed(), 7U);
  EXPECT_EQ(b.cosine.last_epoch(), 12);
  expect_same(b.state.state_dict().at({"parts"}), io::load(path).at({"parts"}));
}

TEST(Checkpoint, ASnapshotIsNotMovedByTraining) {
  Everything a(1), b(2);
  a.train(4);
  const Value snapshot = a.state.state_dict();
  const Tensor before = a.net[0].get_parameter("weight").detach().clone();
  a.train(3);
  b.state.load_state_dict(snapshot);
  EXPECT_TRUE(equal(b.net[0].get_parameter("weight"), before));
  EXPECT_EQ(b.loader.position, 24);
}

TEST(Checkpoint, TiedAndPartialTensorsAreSavedOnce) {
  const TempFolder folder;
  const Tensor large = zeros({1 << 18});
  Tensor view = large.narrow(0, 0, 4), same = view;
  Checkpoint state;
  state.add("view", view);
  state.add("same", same);
  state.save(folder / "run.pth");
  EXPECT_LT(test::file_bytes(folder / "run.pth").size(), 5000U);
  const Value file = io::load(folder / "run.pth");
  EXPECT_EQ(file.as_tensor({"parts", "view", "state"}).data_ptr(),
            file.as_tensor({"parts", "same", "state"}).data_ptr());
}

// `value` with another one at a place.
Value replaced(const Value& value, const io::Path& path, const Value& by, std::size_t depth = 0) {
  if (depth == path.size()) return by;
  const Value inner = replaced(value.at({path[depth]}), path, by, depth + 1);
  if (value.is(Value::Kind::Dict)) {
    Value dict = value;
    dict.set(path[depth], inner);
    return dict;
  }
  std::vector<Value> items(value.items().begin(), value.items().end());
  items[static_cast<std::size_t>(path[depth].as_int())] = inner;
  return value.is(Value::Kind::List) ? Value::list(items) : Value::tuple(items);
}

// The places of everything within a value.
void collect_places(const Value& value, io::Path& at, std::vector<io::Path>& places) {
  places.push_back(at);
  const auto below = [&](const io::Key& key, const Value& item) {
    at.push_back(key);
    collect_places(item, at, places);
    at.pop_back();
  };
  if (value.is(Value::Kind::Dict)) {
    for (const auto& [key, item] : value.entries()) below(key, item);
  } else if (value.is(Value::Kind::List) || value.is(Value::Kind::Tuple)) {
    for (std::size_t i = 0; i < value.size(); ++i) below(i, value.items()[i]);
  }
}

// Whatever is refused: nothing of the run has changed.
void expect_refused(Everything& run, const std::function<void()>& load, const std::string& part) {
  const Value before = run.state.state_dict();
  EXPECT_THAT(message_of<ValueError>(load), HasSubstr(part));
  expect_same(run.state.state_dict(), before);
}

TEST(Checkpoint, ARefusalChangesNothing) {
  Everything a(1), b(2);
  a.train(11);
  b.train(3);
  const Value good = a.state.state_dict();
  const auto changed = [&](const io::Path& path, const Value& value) { return replaced(good, path, value); };
  const auto refused = [&](const Value& document, const std::string& part) {
    expect_refused(
        b, [&] { b.state.load_state_dict(document); }, part);
  };
  refused(changed({"parts", "net", "state", "0.weight"}, zeros({3, 3})), "part 'net'");
  refused(changed({"parts", "net", "state", "0.weight"}, zeros({8, 4}, {.dtype = kFloat64})), "float64 in the file");
  refused(changed({"parts", "net", "state", "0.weight"}, 3), "part 'net'");
  refused(changed({"parts", "net", "frozen"}, Value::list({3})), "part 'net'");
  refused(changed({"parts", "lookahead", "state", "optimizer"}, "SGD"), "part 'lookahead'");
  refused(changed({"parts", "set", "state", "sgd", "groups", 0, "options", "lr"}, -1.0), "part 'set'");
  refused(changed({"parts", "set", "state", "free", "params", "weight", "tensors", "z"}, zeros({1})), "part 'set'");
  refused(changed({"parts", "cosine", "state", "last_epoch"}, -3.0), "part 'cosine'");
  refused(changed({"parts", "cosine", "state", "base.lr.0"}, -3.0), "part 'cosine'");
  refused(changed({"parts", "plateau", "state", "cooldown_counter"}, 0.5), "part 'plateau'");
  refused(changed({"parts", "noise", "state", "seed"}, "x"), "part 'noise'");
  refused(changed({"parts", "step", "state"}, 1.5), "part 'step'");
  refused(changed({"parts", "loss", "state"}, 1), "part 'loss'");
  refused(changed({"parts", "frozen", "state"}, 1), "part 'frozen'");
  refused(changed({"parts", "order", "state"}, "x"), "part 'order'");
  refused(changed({"parts", "step", "type"}, "network"), "part 'step': is of type value here, network in the file");
  refused(changed({"parts", "loader", "state"}, Value::dict()), "part 'loader'");
  refused(changed({"format_version"}, 2), "format 2; this version reads formats up to 1");
  refused(changed({"format"}, "other"), "not a checkpoint");
  refused(Value(3), "not a checkpoint");
  Value lacks = good.at({"parts"});
  lacks.erase("net");
  lacks.set("another", 3);
  refused(changed({"parts"}, lacks), "1 missing: net; 1 unexpected: another");

  const LoadReport report = b.state.load_state_dict(changed({"parts"}, lacks), {.strict = false});
  EXPECT_EQ(report.missing, std::vector<std::string>{"net"});
  EXPECT_EQ(report.unexpected, std::vector<std::string>{"another"});
  EXPECT_EQ(b.step, 11);
}

// A file of someone else's: whatever stands in any place is taken whole or refused whole.
TEST(Checkpoint, AnythingAtAnyPlaceIsTakenOrRefusedWhole) {
  Everything a(1), b(2);
  a.train(11);
  b.train(3);
  const Value good = a.state.state_dict(), own = b.state.state_dict();
  io::Path at;
  std::vector<io::Path> places;
  collect_places(good, at, places);
  ASSERT_GT(places.size(), 200U);
  int taken = 0, refused = 0;
  for (const io::Path& place : places) {
    for (const Value& other : {Value(), Value(-1), Value(1e300), Value(std::nan("")), Value("x"), Value::list({1}),
                               Value::dict({{"a", 1}}), Value(zeros({2, 3}))}) {
      const Value document = replaced(good, place, other);
      try {
        b.state.load_state_dict(document);
        ++taken;
      } catch (const ValueError&) {
        ++refused;
        expect_same(b.state.state_dict(), own, io::to_string(place) + " = " + other.to_string());
        continue;
      }
      b.state.load_state_dict(own);
      expect_same(b.state.state_dict(), own, io::to_string(place) + " = " + other.to_string());
    }
  }
  EXPECT_GT(taken, 20);
  EXPECT_GT(refused, taken);
}

TEST(Checkpoint, PartsThatOnlyLoadingCanCheckGoBack) {
  Counter first{5}, second{6, true};
  std::int64_t step = 1;
  Checkpoint state;
  state.add("first", first);
  state.add("second", second);
  state.add("step", step);
  Value document = state.state_dict();
  second.refuses = false;
  first.position = 50;
  step = 10;
  second.refuses = true;
  EXPECT_THAT(message_of<ValueError>([&] { state.load_state_dict(document); }), HasSubstr("part 'second': Counter"));
  EXPECT_EQ(first.position, 50);
  EXPECT_EQ(step, 10);
}

TEST(Checkpoint, ADamagedTensorIsNamed) {
  const TempFolder folder;
  Everything a(1), b(2);
  a.train(2);
  a.state.save(folder / "run.pth");
  std::string bytes = test::file_bytes(folder / "run.pth");
  // One bit within the data of head.weight.
  const Tensor weight = a.head.weight.detach().contiguous();
  const std::size_t at = bytes.find(
      std::string(static_cast<const char*>(weight.data_ptr()), static_cast<std::size_t>(weight.numel()) * 4));
  ASSERT_NE(at, bytes.npos);
  bytes[at + 5] ^= 4;
  test::put_file(folder / "bad.pth", bytes);
  const Value before = b.state.state_dict();
  EXPECT_THAT(message_of<IoError>([&] { b.state.load(folder / "bad.pth"); }),
              HasSubstr("bad.pth: tensor parts.head.state.weight is damaged: its checksum is"));
  expect_same(b.state.state_dict(), before);
  b.state.load(folder / "bad.pth", {.verify = false});
  EXPECT_FALSE(equal(b.head.weight, a.head.weight));
}

TEST(Checkpoint, NamesAreUnique) {
  Checkpoint state;
  std::int64_t step = 0;
  state.add("step", step);
  EXPECT_EQ(message_of<ValueError>([&] { state.add("step", step); }), "Checkpoint.add: there is a part 'step' already");
  EXPECT_THAT(message_of<ValueError>([&] { state.add("default_generator", step); }), HasSubstr("already"));
}

TEST(Checkpoint, NamesTheFile) {
  const TempFolder folder;
  io::save(folder / "a.pth", Value::dict({{"a", 1}}));
  Checkpoint state;
  EXPECT_THAT(message_of<ValueError>([&] { state.load(folder / "a.pth"); }), HasSubstr("a.pth: not a checkpoint"));
  EXPECT_THAT(message_of<ValueError>([&] { read_info(folder / "a.pth"); }), HasSubstr("a.pth: not a checkpoint"));
  EXPECT_THAT(message_of<IoError>([&] { read_info(folder / "none.pth"); }), HasSubstr("none.pth"));
}

}  // namespace
}  // namespace gradus::training
