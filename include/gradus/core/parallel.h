#pragma once

/// Threads that one operation spreads over. Results never depend on how many there are.
namespace gradus {

/// For the whole process, whichever thread calls. Throws ValueError below 1.
void set_num_threads(int count);

/// At first OMP_NUM_THREADS, where the environment has it, else the cores the process may use, by affinity and quota.
int get_num_threads();

/// Whether denormal numbers (below 1.2e-38 in float32) count as zero, which is faster by far where they occur. Holds
/// for the calling thread and the work it spreads over others. False where there is no such mode, and in portable mode.
bool set_flush_denormal(bool flush);

}  // namespace gradus
