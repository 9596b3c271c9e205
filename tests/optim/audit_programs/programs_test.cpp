// Every program with its mistake is named by its rule; without it, and in every correct program, nothing is found above
// advice. docs/audit/programs.md is the table of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "optim/audit_programs/programs.h"
#include "support/paths.h"

namespace gradus::programs {
namespace {

Programs all() {
  Programs programs;
  for (const Programs& some :
       {losses(), modes(), registration(), steps(), schedules(), values(), owners(), unseen(), unseen_owners()})
    programs.insert(programs.end(), some.begin(), some.end());
  std::stable_sort(programs.begin(), programs.end(),
                   [](const Program& a, const Program& b) { return a.kind < b.kind; });
  return programs;
}

std::vector<CorrectProgram> all_correct() {
  std::vector<CorrectProgram> programs = correct();
  for (const CorrectProgram& one : unseen_correct()) programs.push_back(one);
  return programs;
}

std::string name_of(int kind, const std::string& what) {
  std::string name = "Kind" + std::to_string(kind) + "_";
  for (const char c : what) name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
}

struct Mistakes : ::testing::TestWithParam<Program> {
  void SetUp() override { manual_seed(11); }
};

TEST_P(Mistakes, IsNamedAndItsTwinIsNot) {
  const Program& program = GetParam();
  const AuditReport wrong = program.run(true);
  const optim::AuditFinding* found = wrong.find(program.rule);
  ASSERT_NE(found, nullptr) << "wanted " << program.rule << ": " << program.what << "\n" << wrong.to_string();
  EXPECT_FALSE(found->parameters.empty());
  EXPECT_FALSE(found->message.empty());
  EXPECT_FALSE(found->why.empty());
  EXPECT_FALSE(found->remedy.empty());
  const std::string text = wrong.to_string();
  EXPECT_NE(text.find(program.says), std::string::npos) << program.says << "\n" << text;
  manual_seed(11);
  const AuditReport right = program.run(false);
  EXPECT_FALSE(right.has(optim::Severity::wasteful)) << program.what << "\n" << right.to_string();
}
INSTANTIATE_TEST_SUITE_P(Audit, Mistakes, ::testing::ValuesIn(all()),
                         [](const auto& one) { return name_of(one.param.kind, one.param.what); });

struct CorrectPrograms : ::testing::TestWithParam<CorrectProgram> {
  void SetUp() override { manual_seed(13); }
};
TEST_P(CorrectPrograms, NothingIsFoundAboveAdvice) {
  const AuditReport report = GetParam().run();
  EXPECT_FALSE(report.has(optim::Severity::wasteful)) << GetParam().what << "\n" << report.to_string();
  EXPECT_GT(report.steps, 0);
}
INSTANTIATE_TEST_SUITE_P(Audit, CorrectPrograms, ::testing::ValuesIn(all_correct()),
                         [](const auto& one) { return name_of(0, one.param.what).substr(6); });

const char* kind_name(int kind) {
  static const char* names[] = {"",
                                "Normalised before a loss that does it itself",
                                "Training and evaluation",
                                "Not registered",
                                "Nothing moves",
                                "Schedules",
                                "Divergence and initial values",
                                "Broadcasting by hand",
                                "Accumulation",
                                "A handle where a copy was meant",
                                "Off or frozen, and owned",
                                "Clipping and closures",
                                "State that is lost",
                                "Habits, when asked",
                                "Who owns what"};
  return names[kind];
}

std::string table() {
  std::ostringstream text;
  int kind = 0;
  for (const Program& program : all()) {
    if (program.kind != kind) {
      kind = program.kind;
      text << "\n## " << kind << ". " << kind_name(kind) << "\n\n| program | found |\n|---|---|\n";
    }
    text << "| " << program.what << " | `" << program.rule << "` |\n";
  }
  text << "\n## Correct, and found to be so\n\n";
  for (const CorrectProgram& program : all_correct()) text << "- " << program.what << "\n";
  return text.str();
}

TEST(AuditTable, TheDocsSayWhatTheTestsTry) {
  std::ifstream file(test::source_path("docs/audit/programs.md"));
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_NE(page.str().find(table()), std::string::npos) << "docs/audit/programs.md should hold\n" << table();
}

TEST(AuditTable, EveryRuleHasAProgram) {
  std::set<std::string> tried{"other-threads"};  // audit_threads_test.cpp
  for (const Program& program : all()) tried.insert(program.rule);
  for (const std::string& rule : optim::audit_rules()) EXPECT_TRUE(tried.contains(rule)) << rule;
}

TEST(AuditTable, EveryKindHasPrograms) {
  std::map<int, int> count;
  for (const Program& program : all()) ++count[program.kind];
  EXPECT_EQ(count.size(), 14U);
  for (const auto& [kind, programs] : count) EXPECT_GE(programs, 2) << kind;
}

}  // namespace
}  // namespace gradus::programs
