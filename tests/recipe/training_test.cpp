// How a recipe trains: stopping and going on, evaluation beside training, phases, images.
#include <gmock/gmock.h>
#include <gradus/nn/freeze.h>

#include "recipe/support.h"

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

TEST(RecipeTraining, StoppedAnywhereItGoesOnWithTheSameBits) {
  const TempFolder folder;
  put_photos(folder);
  const auto whole = trained(recipe_of(folder));
  const gradus::Generator drawn = default_generator();
  const std::int64_t total = whole->total_steps();
  ASSERT_EQ(total, 2 * 5 + 3 + 5);
  for (std::int64_t stop = 1; stop < total; stop += 2) {
    io::Value saved;
    {
      const auto part = made(recipe_of(folder));
      training::Checkpoint state;
      part->add_to(state);
      for (std::int64_t i = 0; i < stop; ++i) part->step();
      saved = state.state_dict();
    }
    const auto rest = made(recipe_of(folder, {"data.num_workers=0"}));
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
