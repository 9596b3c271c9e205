// What no optimizer takes: PyTorch's own refusals, and NaN and infinity for every number.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "optim/all_optimizers.h"
#include "support/paths.h"

namespace gradus {
namespace {

Tensor parameter(const Shape& shape = {2, 2}) { return zeros(shape, {.dtype = kFloat64, .requires_grad = true}); }

TEST(OptimizerFamily, RefusesWhatPyTorchRefuses) {
  std::ifstream file(test::source_path("tests/traces/invalid_options.json"));
  const nlohmann::json trace = nlohmann::json::parse(file);
  int refused = 0;
  for (const auto& recorded : trace["optimizers"]) {
    const std::string name = recorded["optimizer"];
    if (name == "SparseAdam" || recorded.contains("param_shape")) continue;
    const auto opt = test::optimizer_kind(name).make({optim::Params(parameter())});
    EXPECT_THROW(test::set_options(*opt, 0, test::options_of(recorded["options"])), ValueError) << recorded.dump();
    ++refused;
  }
  EXPECT_GE(refused, 100);
}

TEST(OptimizerFamily, MuonTakesMatricesUnlessThereIsAFallback) {
  for (const Shape& shape : {Shape{3}, Shape{2, 2, 2}, Shape{1}, Shape{}}) {
    EXPECT_THROW(optim::Muon(parameter(shape)), ValueError);
    EXPECT_NO_THROW(optim::Muon(parameter(shape), {.fallback = "auto"}));
  }
  EXPECT_THROW(optim::Muon(parameter(), {.fallback = "other"}), ValueError);
  optim::Muon opt({{.params = parameter({3}), .fallback = "all", .name = "head"}});
  try {
    opt.set_option(0, "fallback", {});
    FAIL();
  } catch (const ValueError& e) {
    EXPECT_STREQ(e.what(),
                 "Muon: group 0 ('head'): parameter 0 ('') of [3] must be a matrix, unless the group's "
                 "fallback is 'auto' or 'all'");
  }
}

// Every value like `valid` in which one number is replaced by `bad`.
std::vector<optim::OptionValue> spoilt(const optim::OptionValue& valid, double bad) {
  if (std::holds_alternative<double>(valid) || std::holds_alternative<std::int64_t>(valid)) return {bad};
  if (const auto* pair = std::get_if<std::pair<double, double>>(&valid))
    return {std::pair(bad, pair->second), std::pair(pair->first, bad)};
  std::vector<optim::OptionValue> all;
  if (const auto* tuple = std::get_if<optim::NumberTuple>(&valid)) {
    for (std::size_t i = 0; i < tuple->size(); ++i) {
      optim::NumberTuple one = *tuple;
      one[i] = bad;
      all.push_back(one);
    }
  }
  return all;
}

TEST(OptimizerFamily, NoNumberMayBeNanOrInfinite) {
  for (const test::OptimizerKind& kind : test::all_optimizers()) {
    const Tensor p = parameter();
    const auto opt = kind.make({optim::Params(p)});
    int tried = 0;
    for (const std::string& option : opt->option_names()) {
      const optim::OptionValue valid = opt->option(0, option);
      for (double bad :
           {std::nan(""), std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}) {
        // An option without a value is one of the optional numbers, or takes no number at all.
        const auto values =
            std::holds_alternative<std::monostate>(valid) ? std::vector<optim::OptionValue>{bad} : spoilt(valid, bad);
        for (const auto& value : values) {
          EXPECT_THROW(opt->set_option(0, option, value), ValueError) << kind.name << " " << option;
          EXPECT_EQ(opt->option(0, option), valid);
          ++tried;
        }
      }
    }
    EXPECT_GE(tried, 12) << kind.name;
  }
}

}  // namespace
}  // namespace gradus
