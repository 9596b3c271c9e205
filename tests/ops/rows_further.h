// Rows of gradus/ops/further.h.
#pragma once

#include "ops/op_table.h"

namespace gradus::test {

void add_further_rows(Rows& rows);

}  // namespace gradus::test
