// GCC's marks of covered code as the counters that libFuzzer reads.
#include <cstddef>
#include <cstdint>

extern "C" {

extern char __executable_start;  // the linker's; with it a place has the same number in every run
void __sanitizer_cov_8bit_counters_init(std::uint8_t* begin, std::uint8_t* end);

static std::uint8_t counters[1 << 16];

// Called at the start of every basic block that was compiled with -fsanitize-coverage=trace-pc, in the place of the
// runtime's own function (--wrap), which only says that it is not supported.
void __wrap___sanitizer_cov_trace_pc() {
  const auto place = static_cast<std::size_t>(static_cast<char*>(__builtin_return_address(0)) - &__executable_start);
  ++counters[(place * 0x9e3779b97f4a7c15u) >> 48];
}

// GCC also marks comparisons of floating-point numbers, which libFuzzer does not follow.
void __sanitizer_cov_trace_cmpf(float, float) {}
void __sanitizer_cov_trace_cmpd(double, double) {}

__attribute__((constructor)) static void register_counters() {
  __sanitizer_cov_8bit_counters_init(counters, counters + sizeof counters);
}

}  // extern "C"
