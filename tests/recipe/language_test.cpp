// The language: expressions, overrides, shipped recipes, the schema and the reference.
#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include <algorithm>

#include "recipe/language/language.h"
#include "recipe/support.h"
#include "support/message.h"

namespace gradus::recipe {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

Node scalar(const std::string& text) {
  Node node;
  node.kind = Node::Kind::Scalar;
  node.text = text;
  node.place = {"x", 1, 1};
  node.exact = true;
  return node;
}

struct Nothing : nn::Module {};

Value value_of(const std::string& text) {
  Mistakes mistakes;
  Expression expression;
  parse_expression(scalar(text), expression, mistakes);
  mistakes.raise();
  Nothing nothing;
  const Formula formula = Formula::compile(expression, {{"a"}, {}, &nothing}, mistakes);
  mistakes.raise();
  Frame frame(1);
  frame.set(0, tensor({1.0, 2.0, 3.0}));
  return formula.compute(frame);
}
double number(const std::string& text) {
  const Value value = value_of(text);
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
  if (const auto* x = std::get_if<Tensor>(&value)) return x->item();
  return std::get<double>(value);
}
std::string error_of(const std::string& text) {
  return test::message_of<RecipeError>([&] { value_of(text); });
}

TEST(Expressions, WordsNeedNoQuotes) {
  EXPECT_NEAR(number("kl_div(log_softmax(reshape(a, 1, 3), 1), softmax(reshape(a, 1, 3), 1), reduction=batchmean)"), 0,
              1e-7);
  EXPECT_EQ(number("mse_loss(a, 0, reduction=sum)"), 14);
  EXPECT_EQ(number("mse_loss(a, 0, reduction='sum')"), 14);
  EXPECT_THAT(error_of("mse_loss(a, 0, reduction=summ)"),
              HasSubstr("x:1:26: mse_loss: reduction needs 'mean', 'sum' or 'none', got 'summ'; did you mean 'sum'?"));
}

TEST(Expressions, ALossOfNaNIsNaN) {
  for (const char* loss : {"binary_cross_entropy(log(a - 2), 1)", "binary_cross_entropy_with_logits(log(a - 2), 1)"})
    EXPECT_TRUE(std::isnan(number(loss))) << loss;
  EXPECT_THAT(error_of("binary_cross_entropy(a, 1)"), HasSubstr("inputs must be in [0, 1]"));
}

TEST(Expressions, ScoresOfNaNAreNoRightAnswer) {
  EXPECT_NEAR(number("binary_accuracy(log(a - 3), a * 0)"), 1.0 / 3, 1e-7);  // NaN, NaN, -inf
  EXPECT_EQ(number("accuracy(reshape(log(a - 2), 1, 3), reshape(argmax(a * 0, 0), 1))"), 0);
}

TEST(Expressions, SizesMayStandWithoutBrackets) {
  EXPECT_EQ(number("sum(reshape(a, 1, 3) * reshape(a, [1, -1]))"), 14);
  EXPECT_EQ(number("sum(a.reshape(3, 1, 1).permute(2, 1, 0))"), 6);
  EXPECT_EQ(number("sum(rand(2, 3, 4) * 0 + 1)"), 24);
  EXPECT_EQ(number("sum(randint(1, 2, 2, 3))"), 6);
}

TEST(Calls, TakePathsWithoutQuotes) {
  const auto path_of = [](const std::string& path) {
    Mistakes mistakes;
    const auto call = read_call(scalar("CsvDataset(" + path + ", target=y)"), "dataset", mistakes);
    if (!mistakes.empty() || !call || call->arguments.children.size() != 2) return std::string("refused");
    return call->arguments.children[0].text;
  };
  for (const std::string path :
       {"/usr/share/x", "./a.csv", "../a.csv", "..", "~/a", "a/b.csv", "my-table.csv", "2024.csv", "2024-01-02.csv.gz",
        "a b.csv", "a.csv", "data/2024/x", "x+y.csv", "a (1).csv", "b/c (copy).csv.gz", "a*b/c.csv", "/a-b_c.d/e"})
    EXPECT_EQ(path_of(path), path);
  EXPECT_EQ(path_of("\"a, (b).csv\""), "a, (b).csv");
  EXPECT_EQ(path_of("1 / 4"), "0.25");
  EXPECT_EQ(path_of("1.5e3"), "1.5e3");
  EXPECT_EQ(path_of("a - b"), "refused");
  EXPECT_EQ(path_of("f(1/2)"), "f");  // a call
}

TEST(Expressions, ComputeAsPythonDoes) {
  EXPECT_EQ(number("1 + 2 * 3"), 7);
  EXPECT_EQ(number("(1 + 2) * 3"), 9);
  EXPECT_EQ(number("-2 ** 2"), -4);
  EXPECT_EQ(number("2 ** -1"), 0.5);
  EXPECT_EQ(number("2 ** 3 ** 2"), 512);
  EXPECT_EQ(number("7 / 2"), 3.5);
  EXPECT_EQ(number("10 - 4 - 3"), 3);
  EXPECT_EQ(number("- -3"), 3);
  EXPECT_EQ(number("sqrt(16)"), 4);
  EXPECT_EQ(number("1e-3 * 1000"), 1);
  EXPECT_EQ(number("a.sum()"), 6);
  EXPECT_EQ(number("sum(input=a)"), 6);
  EXPECT_EQ(number("(a * a).sum() - 2"), 12);
  EXPECT_EQ(number("a @ a"), 14);
  EXPECT_NEAR(number("(2 ** 0.5 * a).square().mean()"), number("2 * mean(square(a))"), 1e-5);
  EXPECT_EQ(number("cat([a, a]).sum()"), 12);
  EXPECT_EQ(number("(1 - a).abs().sum(0)"), 3);
  EXPECT_EQ(number("zeros(2, 3).sum() + ones([2, 2]).sum()"), 4);
}

TEST(Expressions, ErrorsHaveTheirColumn) {
  EXPECT_EQ(error_of("a + b"), "x:1:5: there is nothing named 'b' here; did you mean 'a'?");
  EXPECT_THAT(error_of("summ(a)"), StartsWith("x:1:1: there is no function or network 'summ'; did you mean 'sum'?"));
  EXPECT_EQ(error_of("a.sum(dims=0)"), "x:1:7: sum has no argument 'dims'; did you mean 'dim'?");
  EXPECT_THAT(error_of("sum(a, 0, true, 1)"), StartsWith("x:1:17: sum takes 3 arguments, got 4"));
  EXPECT_THAT(error_of("mse_loss(a)"), StartsWith("x:1:1: mse_loss: target is missing"));
  EXPECT_THAT(error_of("1 + (2"), StartsWith("x:1:7: ')' is missing"));
  EXPECT_THAT(error_of("1 +"), StartsWith("x:1:4: an expression must stand here"));
  EXPECT_THAT(error_of("a a"), StartsWith("x:1:3: there is 'a' after the end"));
  EXPECT_THAT(error_of("a @ zeros(2)"), StartsWith("x:1:3: "));
  EXPECT_THAT(error_of("sum(a, 4)"), StartsWith("x:1:1: "));
  EXPECT_THAT(error_of("'text' + 1"), HasSubstr("needs tensors or numbers, got a text and a number"));
  EXPECT_THAT(error_of(std::string(300, '(')), HasSubstr("nested too deeply"));
}

RC_GTEST_PROP(Expressions, NoTextBreaksTheParser, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("a1.()[],+-*/@'\" =xe_")));
  Mistakes mistakes;
  Expression expression;
  const bool parsed = parse_expression(scalar(text), expression, mistakes);
  RC_ASSERT(parsed == mistakes.empty());
}

const std::string kSmall = R"yaml(
data: {batch_size: 4}
networks: {net: "Linear(2, 1)"}
losses: {loss: "mse_loss(net(randn(batch, 2)), 0)"}
optimizers: {sgd: {type: SGD, lr: 0.1, schedule: "StepLR(10)", schedule_by: step}}
phases:
- {name: first, steps: 2, minimize: loss}
- {steps: 3, minimize: loss}
)yaml";

std::string refusal(const std::string& text, const std::vector<std::string>& changes) {
  return test::message_of<RecipeError>([&] { made(parse_recipe(text, "r.yaml", changes)); });
}

TEST(Changes, TakeThePlaceOfWhatTheRecipeSays) {
  const Recipe recipe = parse_recipe(kSmall, "r.yaml",
                                     {"data.batch_size=16", "phases.first.steps=7", "phases.1.steps=8", "seed=3",
                                      "optimizers.sgd.schedule.gamma=0.5", "networks.net=Linear(2, 3)"});
  EXPECT_EQ(recipe.data.fields.integer("batch_size"), 16);
  EXPECT_EQ(recipe.phases[0].steps, 7);
  EXPECT_EQ(recipe.phases[1].steps, 8);
  EXPECT_EQ(recipe.seed, 3U);
  EXPECT_EQ(recipe.optimizers[0].schedule.fields.number("gamma"), 0.5);
  EXPECT_EQ(recipe.optimizers[0].schedule.fields.integer("step_size"), 10);
  EXPECT_EQ(recipe.networks[0].layer.fields.integer("out_features"), 3);
}

TEST(Changes, AreCheckedAsTheRecipeIs) {
  EXPECT_EQ(refusal(kSmall, {"data.batch_sise=16"}),
            "--set data.batch_sise: data has no field 'batch_sise'; did you mean 'batch_size'?");
  EXPECT_EQ(refusal(kSmall, {"data.batch_size=none"}),
            "--set data.batch_size: data: batch_size needs a whole number of at least 1, got 'none'");
  EXPECT_THAT(refusal(kSmall, {"phases.2.steps=16"}), StartsWith("--set phases.2.steps: the list has no item '2'"));
  EXPECT_THAT(refusal(kSmall, {"data.batch_size"}), HasSubstr("needs KEY=VALUE"));
  EXPECT_THAT(refusal(kSmall, {"data.batch_size=[1"}), HasSubstr("is not YAML"));
  EXPECT_THAT(refusal(kSmall, {"optimizers.sgd.lr=-1"}), HasSubstr("lr must be"));
  EXPECT_EQ(refusal(kSmall, {}), "no exception");
}

TEST(ShippedRecipes, AreShortAndRight) {
  std::size_t count = 0;
  for (const auto& file : fs::directory_iterator(test::source_path("recipes"))) {
    const std::string text = test::file_bytes(file.path().string());
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 60) << file.path();
    EXPECT_NO_THROW(read_recipe(file.path().string())) << file.path();
    ++count;
  }
  EXPECT_GE(count, 8U);
}

TEST(Language, TheReferenceIsWhatTheReaderReads) {
  EXPECT_EQ(test::file_bytes(test::source_path("docs/recipes-reference.md")), reference())
      << "run: gradus schema --reference > docs/recipes-reference.md";
}

// Every reference within the schema leads somewhere, and every field is in it.
TEST(Language, TheSchemaHasEveryField) {
  const auto schema = nlohmann::json::parse(json_schema());
  const std::string text = schema.dump();
  for (std::size_t at = text.find("#/$defs/"); at != std::string::npos; at = text.find("#/$defs/", at + 1)) {
    const std::string name = text.substr(at + 8, text.find('"', at) - at - 8);
    EXPECT_TRUE(schema["$defs"].contains(name)) << name;
  }
  for (const Field& field : section("recipe").fields) EXPECT_TRUE(schema["properties"].contains(field.name));
  for (const Field& field : section("data").fields)
    EXPECT_TRUE(schema["$defs"]["data"]["properties"].contains(field.name)) << field.name;
  EXPECT_EQ(schema["$defs"]["data"]["properties"]["batch_size"]["minimum"], 1);
  EXPECT_EQ(schema["$defs"]["data"]["properties"]["batch_size"]["default"], 64);
}

TEST(Reading, OddFilesAreMistakesNotCrashes) {
  EXPECT_THAT(refusal("", {}), HasSubstr("is missing"));
  EXPECT_THAT(refusal("- 1\n", {}), HasSubstr("needs a map"));
  EXPECT_THAT(refusal("a: &x [*x]\n", {}), HasSubstr("nested too deeply"));
  EXPECT_THAT(refusal("[1]: 2\n", {}), HasSubstr("a key must be a name"));
  std::string bomb = "a0: &a0 [1]\n";
  for (int i = 1; i < 30; ++i) {
    const std::string name = "a" + std::to_string(i), last = "*a" + std::to_string(i - 1);
    bomb += name + ": &" + name + " [" + last + ", " + last + "]\n";
  }
  EXPECT_THAT(refusal(bomb, {}), HasSubstr("too large"));
}

RC_GTEST_PROP(Reading, NoChangeOfOneCharacterCrashes, ()) {
  const std::string text = kSmall;
  std::string changed = text;
  changed[*rc::gen::inRange<std::size_t>(0, text.size())] =
      *rc::gen::elementOf(std::string("{}[]:,-*&!'\"\n \tx9#|>%@"));
  try {
    parse_recipe(changed, "r.yaml");
  } catch (const RecipeError& e) {
    RC_ASSERT(!e.mistakes().empty());
  }
}

}  // namespace
}  // namespace gradus::recipe
