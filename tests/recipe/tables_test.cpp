// Recipes for tables, as people have them.
#include <gmock/gmock.h>
#include <zlib.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "recipe/support.h"
#include "support/command.h"
#include "support/message.h"

namespace gradus::recipe {
namespace {

using nlohmann::json;
using test::CommandResult;
using test::put_file;
using test::run_gradus;
using test::TempFolder;
using testing::ElementsAre;
using testing::HasSubstr;

class RecipeTables : public testing::Test {
 protected:
  RecipeTables() {
    put_file(folder / "ok.csv", "a,b,y\n1,2,0\n3,4,1\n5,6,0\n1,1,1\n");
    put_file(folder / "my-table.csv", "a;b;y\n1;2;0\n3;4;1\n");
    put_file(folder / "na.csv", "a,b,y\n1,NA,0\n3,4,1\n");
    put_file(folder / "noheader.csv", "1,2,0\n3,4,1\n5,6,0\n1,1,1\n");
    std::filesystem::create_directories(folder / "below");
    const gzFile file = gzopen((folder / "ok.csv.gz").c_str(), "wb");
    gzputs(file, "a,b,y\n1,2,0\n3,4,1\n5,6,0\n");
    gzclose(file);
  }
  // A recipe that tells two classes apart, in `below` or the folder itself; `data` are lines of that section.
  std::string recipe(const std::string& dataset, const std::string& data = "", const std::string& more = "") {
    return "data:\n  dataset: " + dataset + "\n  batch_size: 2\n" + data +
           "networks: {net: [Flatten, \"Linear(2, 2)\"]}\n"
           "losses: {loss: \"cross_entropy(net(x), y)\"}\n"
           "optimizers: {adam: {type: Adam}}\n"
           "phases: [{epochs: 2, minimize: loss}]\n" +
           more;
  }
  CommandResult train(const std::string& text, const std::string& where = "") {
    const std::string in = folder.path() + where;
    put_file(in + "/r.yaml", text);
    return test::run_shell("cd '" + in + "' && '" + test::command_path() + "' train r.yaml --overwrite --out run");
  }
  std::unique_ptr<Training> in_process(const std::string& text) { return made(parse_recipe(text, "r.yaml")); }
  json data_of_run() { return json::parse(test::file_bytes(folder / "run/data.json")); }

  TempFolder folder;
};

TEST_F(RecipeTables, AreReadAsTheyAre) {
  for (const std::string dataset :
       {"CsvDataset(my-table.csv, target=y, delimiter=\";\")", "CsvDataset(my-table.csv, target=y)",
        "CsvDataset(\"ok.csv.gz\", target=y)", "CsvDataset(na.csv, target=y, missing=0)",
        "CsvDataset(na.csv, target=y, missing=0, na_values=[NA, \"-\"])", "CsvDataset(./ok.csv, target=y)",
        "CsvDataset(below/../ok.csv, target=y)", "CsvDataset(path=ok.csv, columns=[a, b], target=y)"}) {
    const CommandResult result = train(recipe(dataset));
    EXPECT_EQ(result.status, 0) << dataset << ": " << result.err;
    EXPECT_THAT(result.err, testing::Not(HasSubstr("gradus:"))) << dataset;
  }
  EXPECT_EQ(train(recipe("CsvDataset(../ok.csv, target=y)"), "/below").status, 0);
  EXPECT_EQ(train(recipe("CsvDataset(" + folder / "ok.csv, target=y)")).status, 0);
  const CommandResult bare = train(recipe("CsvDataset(noheader.csv, target=\"2\")"));
  EXPECT_EQ(bare.status, 0) << bare.err;
  EXPECT_THAT(bare.err, HasSubstr("gradus: note: noheader.csv: its first line holds only numbers, so it is data"));
  EXPECT_THAT(train(recipe("CsvDataset(ok.csv, target=y, delimiter=ab)")).err,
              HasSubstr("r.yaml:2:12: delimiter needs a single character, or tab, got 'ab'"));
}

TEST_F(RecipeTables, RowsHaveTransforms) {
  EXPECT_EQ(train(recipe("CsvDataset(ok.csv, target=y)", "  transforms: [\"Normalize([3,4],[2,2])\"]\n")).status, 0);
  io::save_npy(folder / "x.npy", ones({4, 2}, {.dtype = kFloat64}));
  io::save_npy(folder / "y.npy", tensor(std::vector<std::int64_t>{0, 1, 0, 1}));
  const CommandResult rows = train(recipe("NpyDataset(x.npy, y.npy)", "  transforms: [ToDtype(float32)]\n"));
  EXPECT_EQ(rows.status, 0) << rows.err;
}

TEST_F(RecipeTables, ColumnsAreStandardizedByWhatIsTrainedOn) {
  std::string text = "a,color,b,y\n";
  for (int i = 0; i < 40; ++i)
    text += std::to_string(1000 + i * i) + (i % 3 == 0 ? ",red," : ",blue,") + "7," + std::to_string(i % 2) + "\n";
  put_file(folder / "t.csv", text);
  const std::string dataset = "CsvDataset('" + folder / "t.csv', target=y, one_hot=color)";
  std::string recipe_text =
      recipe(dataset, "  held_out: 0.25\n  standardize: true\n",
             "evaluate: {metrics: {a: \"mean(select(x, 1, 0))\", color: \"mean(select(x, 1, 1))\"}}\n");
  recipe_text.replace(recipe_text.find("Linear(2"), 8, "Linear(4");
  const auto training = in_process(recipe_text);
  ASSERT_TRUE(training->standardization().has_value());
  const auto& mean = training->standardization()->mean();
  const auto& std = training->standardization()->std();
  EXPECT_THAT(std::vector<double>(mean.begin() + 1, mean.end()), ElementsAre(0, 0, 7));
  EXPECT_THAT(std::vector<double>(std.begin() + 1, std.end()), ElementsAre(1, 1, 1));
  // 30 of 40 rows; what is held out is changed by the same numbers, and has another mean.
  double all = 0;
  for (int i = 0; i < 40; ++i) all += (1000 + i * i) / 40.0;
  EXPECT_NE(mean[0], all);
  const double held_out = (40 * all - 30 * mean[0]) / 10;
  EXPECT_NEAR(training->evaluate()[0].second, (held_out - mean[0]) / std[0], 1e-5);

  put_file(folder / "r.yaml", recipe_text);
  ASSERT_EQ(train(recipe_text).status, 0);
  const json data = data_of_run();
  EXPECT_EQ(data["columns"], (json{"a", "color", "b"}));
  EXPECT_EQ(data["one_hot"]["color"], (json{"blue", "red"}));
  EXPECT_EQ(data["standardize"]["mean"][0], mean[0]);
  EXPECT_EQ(data["standardize"]["std"][0], std[0]);

  const auto with = [&](const std::string& how) {
    return recipe_text.substr(0, recipe_text.find("standardize: true")) + "standardize: " + how +
           recipe_text.substr(recipe_text.find("standardize: true") + 17);
  };
  EXPECT_EQ(in_process(with("[b]"))->standardization()->mean()[0], 0);
  EXPECT_THAT(test::message_of<RecipeError>([&] { in_process(with("[c]")); }), HasSubstr("there is no column 'c'"));
  EXPECT_FALSE(in_process(with("false"))->standardization().has_value());
}

TEST_F(RecipeTables, ATestHasTheColumnsAndClassesOfTheTraining) {
  put_file(folder / "train.csv", "color,a,y\nred,1,cat\nblue,2,dog\n");
  put_file(folder / "test.csv", "y,a,color\ndog,1,blue\n");
  const std::string data = "CsvDataset('" + folder / "train.csv', target=y, one_hot=[color])";
  const std::string test = "  test: CsvDataset('" + folder / "test.csv', target=y, one_hot=[color])\n";
  std::string text = recipe(data, test, "evaluate: {metrics: {x: \"mean(x @ y_weights)\", y: \"mean(float(y))\"}}\n");
  text.replace(text.find("Linear(2"), 8, "Linear(3");
  text += "constants: {y_weights: \"reshape(ones(3), 3, 1)\"}\n";
  const auto training = in_process(text);
  // blue, not red; dog is 1 though it is the only class there.
  EXPECT_EQ(training->evaluate()[0].second, 2);
  EXPECT_EQ(training->evaluate()[1].second, 1);
  put_file(folder / "test.csv", "y,a,color\nbird,1,blue\n");
  EXPECT_THAT(test::message_of<RecipeError>([&] { in_process(text); }),
              HasSubstr("r.yaml:4:9: CsvDataset: " + folder / "test.csv, line 2, column y: \"bird\" is none of the 2"));
}

TEST_F(RecipeTables, FoldersOfTestPicturesHaveTheClassesOfTheTraining) {
  const TempFolder photos;
  put_photos(photos);
  std::filesystem::create_directories(photos / "other");
  std::filesystem::copy(photos / "class1", photos / "other/class1");
  std::filesystem::create_directories(photos / "all");
  for (const char* name : {"class0", "class1", "class2"})
    std::filesystem::rename(photos / name, photos / (std::string("all/") + name));
  std::string text =
      recipe("ImageFolder('" + photos / "all')",
             "  test: ImageFolder('" + photos / "other')\n" + "  transforms: [ToTensor, \"Resize(4)\"]\n",
             "evaluate: {metrics: {a: \"accuracy(net(x), y)\"}}\n");
  text.replace(text.find("Linear(2, 2"), 11, "Linear(48, 3");
  EXPECT_THAT(test::message_of<RecipeError>([&] { in_process(text); }),
              HasSubstr("has the classes class1, but training has class0, class1, class2"));
}

TEST_F(RecipeTables, ElementwiseLossesTakeColumnsOfNumbers) {
  for (const std::string loss : {"mse_loss(net(x), y)", "l1_loss(net(x), y)", "huber_loss(net(x), y)",
                                 "binary_cross_entropy_with_logits(net(x), y)"}) {
    std::string text = recipe("CsvDataset('" + folder / "ok.csv', target=y)", "  held_out: 0.5\n",
                              "evaluate: {metrics: {right: \"binary_accuracy(net(x), y)\"}}\n");
    text.replace(text.find("Linear(2, 2"), 11, "Linear(2, 1");
    text.replace(text.find("cross_entropy(net(x), y)"), 24, loss);
    const auto training = in_process(text);
    EXPECT_NO_THROW(training->step()) << loss;
    EXPECT_GE(training->evaluate()[0].second, 0);
    text.replace(text.find("binary_accuracy"), 15, "accuracy");
    EXPECT_THAT(test::message_of<RecipeError>([&] { in_process(text); }), HasSubstr("of at least two classes")) << loss;
  }
}

TEST_F(RecipeTables, AHeldOutPartWithoutSamplesIsNamed) {
  const std::string text = recipe("CsvDataset('" + folder / "my-table.csv', target=y)", "  held_out: 0.2\n",
                                  "evaluate: {metrics: {right: \"accuracy(net(x), y)\"}}\n");
  EXPECT_THAT(test::message_of<RecipeError>([&] { in_process(text); }),
              HasSubstr("held_out: 0.2 of 2 samples leaves none for evaluate"));
}

TEST_F(RecipeTables, ATrainedRecipePredictsRowsOfAnotherTable) {
  std::string text = "a,color,y\n";
  for (int i = 0; i < 60; ++i)
    text += std::to_string(i % 5) + (i % 2 == 0 ? ",red," : ",blue,") + (i % 2 == 0 ? "cat\n" : "dog\n");
  put_file(folder / "t.csv", text);
  std::string trained_on = recipe("CsvDataset(t.csv, target=y, one_hot=color)",
                                  "  standardize: true\n  transforms: [\"Normalize([0, 0, 0], [1, 2, 2])\"]\n");
  trained_on.replace(trained_on.find("Linear(2"), 8, "Linear(3");
  trained_on.replace(trained_on.find("Adam}"), 5, "Adam, lr: 0.05}");
  trained_on.replace(trained_on.find("epochs: 2"), 9, "epochs: 10");
  ASSERT_EQ(train(trained_on).status, 0);
  std::filesystem::remove(folder / "t.csv");  // what it was trained on is not needed
  put_file(folder / "new.csv", "color;a\nblue;3\nred;1\n");
  const std::string predict = "predict " + folder / "run " + folder / "new.csv";
  const json rows = json::parse(run_gradus(predict + " --json").out);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["row"], folder / "new.csv, line 2");
  EXPECT_EQ(rows[0]["classes"][0]["class"], "dog");
  EXPECT_EQ(rows[1]["classes"][0]["class"], "cat");
  // The same as by hand: one-hot columns, then the training's scale, then the transforms.
  const json data = data_of_run();
  const auto mean = data["standardize"]["mean"].get<std::vector<double>>();
  const auto std = data["standardize"]["std"].get<std::vector<double>>();
  EXPECT_NEAR(mean[0], 2, 1e-6);
  const Tensor x = tensor(std::vector<double>{(3 - mean[0]) / std[0], 0.5, 0.0}, {1, 3}, {.dtype = kFloat32});
  nn::Sequential net(nn::Flatten(), nn::Linear(3, 2));
  net.load_state_dict(io::load_state_dict(folder / "run/net.pth"));
  EXPECT_NEAR(rows[0]["classes"][0]["probability"].get<double>(), softmax(net(x), 1)[0][1].item(), 1e-6);

  put_file(folder / "new.csv", "color;a\ngreen;3\n");
  const CommandResult unknown = run_gradus(predict);
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.err, HasSubstr("new.csv, line 2, column color: \"green\" is none of the 2 values"));
  EXPECT_EQ(run_gradus("predict " + folder / "run " + folder / "nothing.csv").status, 2);
  put_file(folder / "new.csv", "color;a\nblue;nan\nred;1\n");
  const CommandResult nan = run_gradus(predict);
  EXPECT_EQ(nan.status, 3);
  EXPECT_EQ(nan.err, "gradus: " + folder / "new.csv: the answers for 1 of 2 rows are NaN\n");
  put_file(folder / "run/data.json", "{}");
  EXPECT_THAT(run_gradus(predict).err, HasSubstr("does not describe a table"));
}

TEST_F(RecipeTables, PredictSaysTheValuesOfSeveralTargets) {
  put_file(folder / "t.csv", "a,y,z\n1,2,3\n2,4,6\n3,6,9\n");
  std::string text = recipe("CsvDataset(t.csv, target=[y, z])", "", "outputs: {predict: \"net(x) * 0 + 2\"}\n");
  text.replace(text.find("Linear(2"), 8, "Linear(1");
  text.replace(text.find("cross_entropy"), 13, "mse_loss");
  ASSERT_EQ(train(text).status, 0);
  EXPECT_EQ(run_gradus("predict " + folder / "run " + folder / "t.csv").out.substr(0, (folder / "t.csv").size() + 19),
            folder / "t.csv, line 2: y 2, z 2\n");
  EXPECT_THAT(train(recipe("CsvDataset(ok.csv, target=y)", "", "outputs: {predict: nett(x)}\n")).err,
              HasSubstr("there is no function or network 'nett'; did you mean 'net'?"));
}

// As somebody writes them who knows PyTorch.
TEST_F(RecipeTables, ReadWhatPyTorchsProgramsSay) {
  const auto training = in_process(
      "data: {dataset: \"CsvDataset('" +
      folder /
          "ok.csv', target=y)\", held_out: 0.5}\n"
          "networks: {net: [\"nn.Linear(2, 4)\", nn.ReLU(), \"torch.nn.Linear(4, 2)\"]}\n"
          "values: {out: net(x)}\n"
          "losses: {loss: \"F.cross_entropy(out, y)\", total: \"loss + 0.1 * out.view(-1, 1).square().mean()\"}\n"
          "optimizers: {opt: \"torch.optim.Adam(lr=0.01, betas=(0.8, 0.9))\"}\n"
          "phases: [{epochs: 1, minimize: total}]\n"
          "evaluate: {metrics: {loss: loss, right: \"accuracy(out, y)\"}, best: right}\n");
  training->step();
  EXPECT_EQ(std::get<double>(training->optimizer("opt").option(0, "lr")), 0.01);
  EXPECT_EQ(training->optimizer("opt").option(0, "betas"), optim::OptionValue(std::pair(0.8, 0.9)));
  EXPECT_EQ(training->evaluate()[0].first, "loss");
  const auto error = [&](const std::string& loss) {
    return test::message_of<RecipeError>([&] {
      std::string text = recipe("CsvDataset('" + folder / "ok.csv', target=y)");
      text.replace(text.find("cross_entropy(net(x), y)"), 24, loss);
      in_process(text);
    });
  };
  EXPECT_THAT(error("MSELoss(net(x), y)"),
              HasSubstr("no function or network 'MSELoss'; as a function it is mse_loss(input"));
  EXPECT_THAT(error("y.viw(2)"), HasSubstr("there is no function or network 'viw'"));
}

}  // namespace
}  // namespace gradus::recipe
