// Portable mode of the training commands: by an option, by the environment, by a line of a recipe.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "support/command.h"
#include "support/temp_folder.h"

namespace gradus {
namespace {

using test::CommandResult;
using test::file_bytes;

class Portable : public ::testing::Test {
 protected:
  // The weights that a training ends with; `how` comes before the command.
  std::string weights_of(const std::string& how, const std::string& arguments) {
    const CommandResult run = test::run_shell(how + " '" + test::command_path() + "' train " + arguments +
                                              " --save-minutes 0 --overwrite --out '" + folder / "run" + "'");
    EXPECT_EQ(run.status, 0) << run.err;
    return file_bytes(folder / "run/" + file);
  }
  test::TempFolder folder;
  std::string file = "autoencoder.pth";
};

TEST_F(Portable, WeightsAreTheSameOnEveryInstructionSet) {
  const std::string arguments = "autoencoder --steps 60 --receiver-steps 20 --errors 1 --blocks 100";
  const std::string base = weights_of("GRADUS_ISA=base", arguments + " --portable --threads 1");
  EXPECT_EQ(weights_of("GRADUS_ISA=v3", arguments + " --portable --threads 2"), base);
  EXPECT_EQ(weights_of("", arguments + " --portable"), base);
  EXPECT_EQ(weights_of("GRADUS_PORTABLE=1", arguments), base);
  EXPECT_NE(weights_of("GRADUS_PORTABLE=0", arguments), base);
}

TEST_F(Portable, ARecipeMaySayIt) {
  const std::string recipe = R"yaml(
networks:
  net: ["Linear(8, 32)", Tanh, "Linear(32, 3)"]
values:
  x: "randn([16, 8])"
losses:
  loss: "mean(net(x) ** 2)"
optimizers:
  adam: {type: Adam, params: net, lr: 0.01}
phases:
- {steps: 10, minimize: loss}
)yaml";
  test::put_file(folder / "plain.yaml", recipe);
  test::put_file(folder / "portable.yaml", "portable: true\n" + recipe);
  file = "net.pth";
  const std::string plain = "'" + folder / "plain.yaml" + "'";
  const std::string said = weights_of("", "'" + folder / "portable.yaml" + "'");
  EXPECT_EQ(weights_of("", plain + " --portable"), said);
  EXPECT_NE(weights_of("", plain), said);
}

}  // namespace
}  // namespace gradus
