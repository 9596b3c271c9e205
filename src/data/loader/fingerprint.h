// Tells the data of a run from others, without reading all of them.
#pragma once

#include <gradus/data/dataset.h>
#include <gradus/io/value.h>

namespace gradus::data {

// How many samples there are, and the means of a few of them: numbers that do not depend on the machine's last bits.
io::Value fingerprint(const Dataset& dataset);

// ValueError naming what differs. A sample that cannot be read, then or now, says nothing.
void check_fingerprint(const io::Value& saved, const io::Value& now);

}  // namespace gradus::data
