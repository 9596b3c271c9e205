#pragma once

namespace gradus {

/// Whether every processor shall compute the same bits: x86-64 with any instruction set, and arm64, whatever the
/// version of the C library. Then loops run as every x86-64 can, without fused operations, exp, log and their like are
/// our own, and so are products and convolutions, without oneDNN and BLAS. This costs time: docs/platforms.md says how
/// much.
///
/// Say so before anything is computed, and not while operations run. The environment variable GRADUS_PORTABLE=1 says it
/// from the start. A device other than the CPU is refused where it would compute (ValueError).
void set_portable(bool portable);
bool is_portable();

}  // namespace gradus
