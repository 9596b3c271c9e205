// What an audit finds, in the language of recipes.
#pragma once

#include <gradus/optim/control/audit.h>

namespace gradus::recipe {

// Replaces a remedy that is written in C++ by what to write into a recipe.
void in_recipe_words(optim::AuditFinding& finding);

}  // namespace gradus::recipe
