// gradus train RECIPE, gradus check, gradus plan: networks trained as a file says (docs/recipes.md).
#pragma once

#include <string>
#include <vector>

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

// Prints who trains what, phase by phase, and what it costs.
int plan_recipe(const RecipeOptions& options);

// The file, or the shipped recipe of that name. IoError with the nearest name.
std::string find_recipe(const std::string& recipe);

}  // namespace gradus::cli
