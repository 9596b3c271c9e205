// gradus train RECIPE, gradus check, gradus plan: networks trained as a file says (docs/recipes.md).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/commands/plan_processes.h"
#include "cli/run/run.h"

namespace gradus::cli {

struct RecipeOptions {
  RunOptions run;
  std::string recipe;                // a file, or the name of one that comes with Gradus
  std::vector<std::string> changes;  // "data.batch_size=32"
};

int train_recipe(const RecipeOptions& options);

// Finds mistakes without training. Prints one line where there are none.
int check_recipe(const RecipeOptions& options);

struct PlanOptions {
  std::string recipe;
  std::vector<std::string> changes;
  std::string input;  // "3x224x224": x of one sample as networks see it, instead of the data
  std::optional<std::int64_t> classes;
  ProcessesOptions processes;
};
// Prints who trains what, phase by phase, and what it costs. Data and weights that are not there do not matter.
int plan_recipe(const PlanOptions& options);

// The file, or the shipped recipe of that name. IoError with the nearest name.
std::string find_recipe(const std::string& recipe);

}  // namespace gradus::cli
