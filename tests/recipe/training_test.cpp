// How a recipe trains: stopping and going on, evaluation beside training, phases, images.
#include <gmock/gmock.h>
#include <gradus/nn/freeze.h>

#include "recipe/support.h"
#include "support/message.h"

namespace gradus::recipe {
namespace {

using test::TempFolder;

// Photos with random crops, prepared by threads; two optimizers, one with a schedule; a change in between.
const std::string kRecipe = R"yaml(
data:
  dataset: ImageFolder(root=PHOTOS)
  held_out: 0.25
  transforms: ["RandomResizedCrop(16)", RandomHorizontalFlip, ToTensor]
  batch_size: 2
  num_workers: 2
networks:
  body: ["Conv2d(3, 4, 3, stride=2)", BatchNorm2d(4), ReLU, Dropout(0.3), Flatten]
  head: Linear(196, 3)
losses:
  loss: cross_entropy(head(body(x)), y)
  small: (head.weight ** 2).mean()
optimizers:
  body: {type: Adam, params: body, lr: 1e-2, schedule: "StepLR(1, gamma=0.5)"}
  head: {type: SGD, params: head, lr: 0.1, momentum: 0.9}
phases:
- epochs: 2
  updates:
  - {minimize: loss, optimizer: body}
  - {minimize: loss, optimizer: head, every: 2}
- steps: 3
  freeze: body
  scale: {head: {lr: 0.1}}
  updates: [{minimize: loss, optimizer: head}, {minimize: small, optimizer: head}]
- epochs: 1
  unfreeze: body.0
  minimize: loss
  optimizer: body
evaluate:
  metrics: {accuracy: "accuracy(head(body(x)), y)", noise: "randn(1).mean()"}
)yaml";

Recipe recipe_of(const TempFolder& folder, const std::vector<std::string>& changes = {}) {
  std::vector<std::string> all{"data.dataset.root=" + folder.path()};
  all.insert(all.end(), changes.begin(), changes.end());
  return parse_recipe(kRecipe, "r.yaml", all);
}

TEST(RecipeTraining, NamesTheSamplesWhoseLabelsAreNoClasses) {
  const TempFolder folder;
  test::put_file(folder / "t.csv", "a,y\n1,0\n2,1\n3,1\n4,7\n5,-2\n");
  const std::string data = "data:\n  dataset: CsvDataset('" + folder / "t.csv', target=y)\n  batch_size: 5\n";
  const auto training = made(parse_recipe(data + "networks: {net: \"Linear(1, 2)\"}\n"
                                                 "losses: {loss: \"cross_entropy(net(x), y)\"}\n"
                                                 "optimizers: {sgd: SGD}\n"
                                                 "phases: [{epochs: 1, minimize: loss}]\n",
                                          "r.yaml"));
  const std::string said = test::message_of<RecipeError>([&] { training->step(); });
  EXPECT_THAT(said, testing::HasSubstr("r.yaml:5:17: cross_entropy: class indices must be in [0, 2)"));
  EXPECT_THAT(
      said, testing::HasSubstr("labels are from -2 (" + folder / "t.csv, line 6) to 7 (" + folder / "t.csv, line 5)"));
}

// Four rows at once, and the same rows one or two at a time.
TEST(RecipeTraining, AccumulatedGradientsAreThoseOfOneBatch) {
  const TempFolder folder;
  test::put_file(folder / "t.csv", "a,b,y\n1,2,1.5\n3,1,2.5\n5,6,0.5\n1,1,4.5\n2,8,1.5\n0,3,2.5\n");
  const auto recipe = [&](int batch, const std::string& how) {
    return parse_recipe("data:\n  dataset: CsvDataset('" +
                            folder / "t.csv', target=y)\n  shuffle: false\n  batch_size: " + std::to_string(batch) +
                            "\nnetworks: {net: \"Linear(2, 1)\"}\nlosses: {loss: \"mse_loss(net(x), y)\"}\n"
                            "optimizers: {sgd: {type: SGD, lr: 0.01, momentum: 0.9}}\nphases: [{epochs: 2, " +
                            how + "}]\n",
                        "r.yaml");
  };
  const auto weight = [](Training& t) { return t.network("net").get_parameter("weight").to_vector<double>(); };
  const auto whole = trained(recipe(3, "minimize: loss"));
  for (const std::string how : {"minimize: loss, accumulate: 3", "updates: [{minimize: loss, accumulate: 3}]"}) {
    const auto parts = trained(recipe(1, how));
    for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(weight(*parts)[i], weight(*whole)[i], 1e-6) << how;
  }
  // Twelve batches are two times five and two.
  const auto uneven = trained(recipe(1, "minimize: loss, accumulate: 5"));
  EXPECT_EQ(uneven->optimizer("sgd").steps_of(uneven->network("net").get_parameter("weight")), 3);
  for (std::int64_t stop = 1; stop < 12; ++stop) {
    const auto part = made(recipe(1, "minimize: loss, accumulate: 5")),
               rest = made(recipe(1, "minimize: loss, accumulate: 5"));
    training::Checkpoint state, other;
    part->add_to(state);
    rest->add_to(other);
    for (std::int64_t i = 0; i < stop; ++i) part->step();
    other.load_state_dict(state.state_dict());
    while (!rest->done()) rest->step();
    EXPECT_EQ(weight(*rest), weight(*uneven)) << stop;
  }
}

TEST(RecipeTraining, WhatIsBestMayBeSaidInEachWay) {
  const TempFolder folder;
  test::put_file(folder / "t.csv", "a,y\n1,0\n2,1\n3,1\n4,0\n");
  const auto read = [&](const std::string& how) {
    const Recipe recipe = parse_recipe(
        "data:\n  dataset: CsvDataset('" +
            folder /
                "t.csv', target=y)\n  held_out: 0.5\n"
                "networks: {net: \"Linear(1, 2)\"}\nlosses: {loss: \"cross_entropy(net(x), y)\"}\n"
                "optimizers: {sgd: SGD}\nphases: [{epochs: 1, minimize: loss}]\n"
                "evaluate:\n  metrics: {loss: \"cross_entropy(net(x), y)\", right: \"accuracy(net(x), y)\"}\n" +
            how,
        "r.yaml");
    return recipe.best + " " + recipe.best_mode;
  };
  EXPECT_EQ(read(""), " min");
  EXPECT_EQ(read("  best: right\n"), "right max");
  EXPECT_EQ(read("  best: loss\n"), "loss min");
  EXPECT_EQ(read("  best: right\n  mode: min\n"), "right min");
  EXPECT_EQ(read("  best: {loss: max}\n"), "loss max");
  EXPECT_EQ(read("  best: {metric: loss, mode: max}\n"), "loss max");
  EXPECT_EQ(read("  best: {metric: right}\n"), "right max");
  EXPECT_EQ(read("  best: loss\n  mode: {loss: max, right: min}\n"), "loss max");
  EXPECT_EQ(read("  best: right\n  mode: {loss: max}\n"), "right max");
  const auto error = [&](const std::string& how) { return test::message_of<RecipeError>([&] { read(how); }); };
  EXPECT_THAT(error("  best: {los: max}\n"), testing::HasSubstr("there is no metric 'los'; did you mean 'loss'?"));
  EXPECT_THAT(error("  best: {loss: most}\n"), testing::HasSubstr("'most'"));
  EXPECT_THAT(error("  best: {loss: min, right: max}\n"), testing::HasSubstr("best: needs one metric"));
  EXPECT_THAT(error("  best: loss\n  mode: {los: max}\n"), testing::HasSubstr("there is no metric 'los'"));
}

TEST(RecipeTraining, StoppedAnywhereItGoesOnWithTheSameBits) {
  const TempFolder folder;
  put_photos(folder);
  // Noise is the same in each evaluation, so that the rate falls after all but the first.
  const std::vector<std::string> more{"optimizers.head.schedule=ReduceLROnPlateau(noise, patience=0)",
                                      "networks.ema={average: {of: head, decay: 0.9}}",
                                      "networks.swa={average: {of: body, after: 3, every: 2}}"};
  const auto whole = trained(recipe_of(folder, more));
  const gradus::Generator drawn = default_generator();
  const std::int64_t total = whole->total_steps();
  ASSERT_EQ(total, 2 * 5 + 3 + 5);
  for (std::int64_t stop = 1; stop < total; stop += 2) {
    io::Value saved;
    {
      const auto part = made(recipe_of(folder, more));
      training::Checkpoint state;
      part->add_to(state);
      for (std::int64_t i = 0; i < stop; ++i) part->step();
      saved = state.state_dict();
    }
    auto changes = more;
    changes.push_back("data.num_workers=0");
    const auto rest = made(recipe_of(folder, changes));
    training::Checkpoint state;
    rest->add_to(state);
    state.load_state_dict(saved);
    while (!rest->done()) rest->step();
    expect_same(whole->networks(), rest->networks(), "networks");
    EXPECT_EQ(whole->rates(), rest->rates()) << stop;
    EXPECT_EQ(whole->losses(), rest->losses()) << stop;
    EXPECT_EQ(default_generator(), drawn) << stop;
  }
}

TEST(RecipeTraining, EvaluationAndChecksChangeNothing) {
  const TempFolder folder;
  put_photos(folder);
  const auto plain = trained(recipe_of(folder));
  manual_seed(1);
  Training watched(recipe_of(folder));
  while (!watched.done()) {
    watched.check();
    const auto first = watched.evaluate(), second = watched.evaluate();
    EXPECT_EQ(first, second);
    watched.step();
  }
  expect_same(plain->networks(), watched.networks(), "networks");
}

TEST(RecipeTraining, PhasesFreezeScaleAndAlternate) {
  const TempFolder folder;
  put_photos(folder);
  const auto training = made(recipe_of(folder));
  auto steps = [&](const char* optimizer, const char* parameter) {
    return training->optimizer(optimizer).steps_of(training->networks().get_parameter(parameter));
  };
  StepReport report;
  for (int i = 0; i < 10; ++i) report = training->step();
  EXPECT_TRUE(report.epoch_ended && report.phase_ended);
  ASSERT_TRUE(report.metrics);
  EXPECT_EQ((*report.metrics)[0].first, "accuracy");
  EXPECT_EQ(steps("body", "body.0.weight"), 10);
  EXPECT_EQ(steps("head", "head.weight"), 5);
  EXPECT_EQ(training->rates()[0].second, 0.0025);  // halved at the end of each epoch
  const Tensor before = training->networks().get_parameter("body.0.weight").detach().clone();
  const Tensor mean = training->networks().state_dict().at("body.1.running_mean").clone();
  for (int i = 0; i < 3; ++i) training->step();
  EXPECT_TRUE(same_bits(before, training->networks().get_parameter("body.0.weight")));
  EXPECT_TRUE(same_bits(mean, training->networks().state_dict().at("body.1.running_mean")));
  EXPECT_EQ(steps("head", "head.weight"), 11);
  EXPECT_NEAR(training->rates()[1].second, 0.01, 1e-12);
  training->step();
  EXPECT_FALSE(is_frozen(training->networks().get_parameter("body.0.weight")));
  EXPECT_TRUE(is_frozen(training->networks().get_parameter("body.1.weight")));
  EXPECT_EQ(steps("body", "body.0.weight"), 11);
  EXPECT_EQ(steps("body", "body.1.weight"), 10);
}

TEST(RecipeTraining, AveragesAndPlateausAreThoseOfAProgram) {
  const TempFolder folder;
  put_fashion(folder);
  const std::string text = R"yaml(
data:
  dataset: FashionMNIST(root=FOLDER)
  test: FashionMNIST(root=FOLDER, train=false)
  transforms: [ToTensor, Flatten]
  batch_size: 16
networks:
  net: ["Linear(784, 8)", BatchNorm1d(8), "Linear(8, 10)"]
  ema: {average: {of: net, decay: 0.9}}
  swa: {average: {of: net, after: 2, every: 2}}
  last: Linear(1, 1)  # an average draws no random numbers
losses: {loss: "cross_entropy(net(x), y)"}
optimizers:
  sgd: {type: SGD, lr: 1, schedule: "ReduceLROnPlateau(loss, mode=max, factor=0.5, patience=1)"}
phases: [{epochs: 6, minimize: loss}]
evaluate: {metrics: {ema: "accuracy(ema(x), y)", loss: "cross_entropy(net(x), y)"}}
)yaml";
  const auto training = trained(parse_recipe(
      text, "r.yaml", {"data.dataset.root='" + folder.path() + "'", "data.test.root='" + folder.path() + "'"}));

  namespace T = data::transforms;
  using optim::swa_utils::AveragedModel;
  manual_seed(1);
  nn::Sequential net{nn::Linear(784, 8), nn::BatchNorm1d(8), nn::Linear(8, 10)};
  nn::Linear last(1, 1);
  AveragedModel ema(net, {.multi_avg_fn = optim::swa_utils::get_ema_multi_avg_fn(0.9)});
  AveragedModel swa(net);
  std::vector<Tensor> all = net.parameters();
  for (const Tensor& x : last.parameters()) all.push_back(x);
  optim::SGD sgd(all, {.lr = 1});
  optim::lr_scheduler::ReduceLROnPlateau plateau(sgd, {.mode = "max", .factor = 0.5, .patience = 1});
  const auto images = [&](bool train) {
    const T::Compose flat({T::ToTensor(), data::AnyTransform([](const Tensor& x) { return x.reshape({-1}); })});
    return data::DataLoader(data::FashionMNIST(folder.path(), {.train = train, .transform = flat}),
                            {.batch_size = 16, .shuffle = train, .seed = 1});
  };
  data::DataLoader loader = images(true), test_loader = images(false);
  int step = 0;
  for (int epoch = 0; epoch < 6; ++epoch) {
    for (auto& [x, y] : loader) {
      sgd.minimize(nn::functional::cross_entropy(net(x), y));
      ema.update_parameters(net);
      if (++step > 2 && step % 2 == 0) swa.update_parameters(net);
    }
    const NoGrad guard;
    net.eval();
    double sum = 0;
    for (auto& [x, y] : test_loader)
      sum += nn::functional::cross_entropy(net(x), y).item() * static_cast<double>(y.size(0));
    plateau.step(sum / 40);
    net.train();
  }
  expect_same(training->network("net"), net, "net");
  expect_same(training->network("ema"), ema.module, "ema");
  expect_same(training->network("swa"), swa.module, "swa");
  expect_same(training->network("last"), last, "last");
  EXPECT_EQ(training->rates()[0].second, plateau.get_last_lr()[0]);
  EXPECT_LT(training->rates()[0].second, 1);
}

TEST(RecipeTraining, LayersForSequencesAndImages) {
  struct Case {
    std::string layer;
    Shape input, output;
  };
  const std::vector<Case> cases{
      {"RNN(5, 4, 2, relu)", {3, 2, 5}, {3, 2, 4}},
      {"LSTM(5, 4, batch_first=true, bidirectional=true)", {2, 3, 5}, {2, 3, 8}},
      {"GRU(5, 4)", {3, 2, 5}, {3, 2, 4}},
      {"TransformerEncoderLayer(6, 2, 8, batch_first=true)", {2, 3, 6}, {2, 3, 6}},
      {"ConstantPad1d([1, 2], 3)", {2, 4, 5}, {2, 4, 8}},
      {"ZeroPad3d(1)", {1, 1, 2, 2, 2}, {1, 1, 4, 4, 4}},
      {"CircularPad2d([1, 0, 0, 2])", {1, 1, 4, 4}, {1, 1, 6, 5}},
      {"UpsamplingBilinear2d(scale_factor=2)", {1, 1, 3, 3}, {1, 1, 6, 6}},
      {"PixelUnshuffle(2)", {1, 3, 4, 4}, {1, 12, 2, 2}},
      {"ReLU6", {2, 3}, {2, 3}},
      {"Hardtanh(-2, 2)", {2, 3}, {2, 3}},
  };
  for (const Case& c : cases) {
    const auto training = made(parse_recipe("networks: {net: [\"" + c.layer + R"yaml("], other: "Linear(1, 1)"}
losses: {loss: other.weight.sum()}
optimizers: {sgd: {type: SGD, lr: 0.1, params: other}}
phases: [{steps: 1, minimize: loss}]
)yaml",
                                            "r.yaml"));
    EXPECT_EQ(training->network("net")(rand(c.input)).sizes(), c.output) << c.layer;
  }
  // A recurrent layer is PyTorch's by its names and numbers; the state is left out.
  const auto training = made(parse_recipe(R"yaml(
networks: {net: ["LSTM(3, 2)", "Linear(2, 1)"]}
losses: {loss: "net(randn(4, 1, 3)).mean()"}
optimizers: {sgd: {type: SGD, lr: 0.1}}
phases: [{steps: 1, minimize: loss}]
)yaml",
                                          "r.yaml"));
  nn::LSTM lstm(3, 2);
  nn::StateDict numbers;
  for (const auto& [name, x] : training->network("net").state_dict())
    if (name.starts_with("0.")) numbers.set(name.substr(2), x);
  lstm.load_state_dict(numbers);
  const Tensor x = randn({4, 1, 3});
  EXPECT_TRUE(same_bits(training->networks().get_submodule("net.0")(x), lstm(x).first));
}

TEST(RecipeTraining, DrawsImages) {
  const std::string text = R"yaml(
networks: {net: "Linear(4, 6)"}
constants: {shown: "zeros(3, 4)"}
losses: {loss: net(shown).mean()}
optimizers: {sgd: {type: SGD, lr: 0.1}}
phases: [{steps: 2, minimize: loss}]
outputs:
  images: {grid: {show: 0 * net(shown) + 1, size: [2, 3], columns: 2}}
)yaml";
  const auto training = made(parse_recipe(text, "r.yaml"));
  EXPECT_TRUE(training->step().images.empty());
  const StepReport report = training->step();
  ASSERT_EQ(report.images.size(), 1U);
  EXPECT_EQ(report.images[0].name, "grid");
  EXPECT_EQ(report.images[0].images.sizes(), (Shape{3, 2, 3}));
  EXPECT_EQ(report.images[0].images.to_vector<std::uint8_t>(), std::vector<std::uint8_t>(18, 255));
}

}  // namespace
}  // namespace gradus::recipe
