// Completion scripts and manual pages, made from the command's definitions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/command.h"

namespace gradus::cli {
namespace {

using test::run_gradus;
using test::run_shell;
using test::TempFolder;
using testing::HasSubstr;
using testing::Not;

bool has(const std::string& program) { return run_shell("command -v " + program).status == 0; }

// What bash offers after these words, the last of which is being written.
std::string offered(const std::string& script, const std::string& words) {
  const auto run = run_shell("cat > /dev/null; bash -c 'source \"" + script + "\"; COMP_WORDS=(" + words +
                             "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _gradus; echo \"${COMPREPLY[@]}\"'");
  EXPECT_EQ(run.status, 0) << run.err;
  return run.out;
}

TEST(Completion, BashOffersCommandsOptionsAndModels) {
  if (!has("bash")) GTEST_SKIP() << "no bash";
  const TempFolder folder;
  const auto script = run_gradus("completion bash");
  ASSERT_EQ(script.status, 0) << script.err;
  test::put_file(folder / "gradus.bash", script.out);
  const std::string file = folder / "gradus.bash";
  EXPECT_THAT(offered(file, "gradus \"\""),
              testing::AllOf(HasSubstr("train"), HasSubstr("plot"), Not(HasSubstr("manual"))));
  EXPECT_EQ(offered(file, "gradus tr"), "train\n");
  EXPECT_EQ(offered(file, "gradus train a"), "autoencoder\n");
  EXPECT_EQ(offered(file, "gradus train gan --epo"), "--epochs\n");
  EXPECT_EQ(offered(file, "gradus train gan --seed 3 --epo"), "--epochs\n");
  EXPECT_EQ(offered(file, "gradus train gan --data \"\""), "\n");  // a file
  EXPECT_EQ(offered(file, "gradus flops len"), "lenet\n");
  EXPECT_EQ(offered(file, "gradus completion f"), "fish\n");
  EXPECT_EQ(offered(file, "gradus ckpt sh"), "show\n");
}

TEST(Completion, OtherShellsReadTheirScripts) {
  const TempFolder folder;
  for (const std::string shell : {"zsh", "fish"}) {
    const auto script = run_gradus("completion " + shell);
    ASSERT_EQ(script.status, 0) << script.err;
    for (const char* part : {"autoencoder", "epochs", "lenet"}) EXPECT_THAT(script.out, HasSubstr(part)) << shell;
    test::put_file(folder / shell, script.out);
    if (has(shell)) {
      EXPECT_EQ(run_shell(shell + " -n '" + folder / shell + "'").status, 0) << shell;
    }
  }
  if (has("fish")) {
    const auto run =
        run_shell("fish --no-config -c 'source " + folder / "fish" + "; complete -C \"gradus train gan --epo\"'");
    EXPECT_THAT(run.out, HasSubstr("--epochs")) << run.err;
  }
  const auto unknown = run_gradus("completion fsh");
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.err, HasSubstr("did you mean 'fish'?"));
}

TEST(Manual, HasAPageForEachCommand) {
  const TempFolder folder;
  ASSERT_EQ(run_gradus("manual " + folder / "man").status, 0);
  const std::string main = test::file_bytes(folder / "man/gradus.1");
  const std::string gan = test::file_bytes(folder / "man/gradus-train-gan.1");
  EXPECT_THAT(main, testing::StartsWith(".TH GRADUS 1"));
  for (const char* part : {"gradus train gan", "gradus plot", "gradus ckpt show"}) {
    std::string name = part;
    for (std::size_t at = 0; (at = name.find('-', at)) != name.npos; at += 2) name.insert(at, "\\");
    EXPECT_THAT(main, HasSubstr(name));
  }
  EXPECT_THAT(main, Not(HasSubstr("gradus manual")));
  EXPECT_THAT(gan, testing::AllOf(HasSubstr("\\-\\-epochs"), HasSubstr("20 by default"), HasSubstr(".SH EXIT STATUS")));
  EXPECT_FALSE(std::filesystem::exists(folder / "man/gradus-train.1"));
  if (!has("groff")) return;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "man")) {
    const auto lint = run_shell("groff -man -Tutf8 -ww '" + entry.path().string() + "' > /dev/null");
    EXPECT_EQ(lint.err, "") << entry.path();
  }
}

}  // namespace
}  // namespace gradus::cli
