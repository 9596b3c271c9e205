// Rows of gradus/ops/mathematics.h and choice.h, of products.h, and of statistics.h.
#pragma once

#include "ops/op_table.h"

namespace gradus::test {

void add_mathematics_rows(Rows& rows);
void add_further_product_rows(Rows& rows);
void add_statistics_rows(Rows& rows);

}  // namespace gradus::test
