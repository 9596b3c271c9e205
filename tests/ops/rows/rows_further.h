// Rows of gradus/ops/further.h.
#pragma once

#include "ops/op_table.h"

namespace gradus::test {

void add_further_rows(Rows& rows);
void add_activation_rows(Rows& rows);  // and of gradus/ops/activation.h
void add_folding_rows(Rows& rows);     // and of gradus/ops/folding.h

}  // namespace gradus::test
