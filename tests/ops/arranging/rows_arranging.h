// Rows of gradus/ops/arranging.h, diagonals.h, creation.h, placing.h, searching.h and grid_sampling.h.
#pragma once

#include "ops/op_table.h"

namespace gradus::test {

void add_arranging_rows(Rows& rows);
void add_placing_rows(Rows& rows);

}  // namespace gradus::test
