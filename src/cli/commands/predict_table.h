// gradus predict for a recipe that was trained on a table: its network on the rows of another.
#pragma once

#include <string>

#include "cli/commands/use_classifier.h"

namespace gradus::cli {

// Whether the folder is of such a run.
bool is_table_run(const std::string& folder);

// Prints what the network says of each row of the files. IoError and ValueError for what does not fit together.
int predict_table(const PredictOptions& options);

}  // namespace gradus::cli
