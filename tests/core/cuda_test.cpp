// What cuda:: tells about devices, tried with the emulated one.
#include <gradus/cuda.h>
#include <gradus/ops.h>

#include <gmock/gmock.h>

#include "support/message.h"
#include "support/tested_device.h"

namespace gradus {
namespace {

using test::message_of;
using testing::HasSubstr;

const Device kTested = test::tested_device();

TEST(CudaMemory, IsCounted) {
  const std::int64_t before = cuda::memory_allocated(kTested);
  cuda::reset_peak_memory_stats(kTested);
  EXPECT_EQ(cuda::max_memory_allocated(kTested), before);
  const auto [left, all] = cuda::mem_get_info(kTested);
  {
    const Tensor x = zeros({1 << 20}, {.device = kTested});
    EXPECT_EQ(cuda::memory_allocated(kTested), before + (4 << 20));
    EXPECT_LE(cuda::mem_get_info(kTested).first, left);
  }
  EXPECT_EQ(cuda::memory_allocated(kTested), before);
  EXPECT_EQ(cuda::max_memory_allocated(kTested), before + (4 << 20));
  EXPECT_GE(cuda::memory_reserved(kTested), before);
  cuda::reset_peak_memory_stats(kTested);
  EXPECT_EQ(cuda::max_memory_allocated(kTested), before);
  cuda::empty_cache(kTested);
  cuda::empty_cache();
  cuda::synchronize(kTested);
  EXPECT_LE(left, all);
  EXPECT_EQ(all, cuda::get_device_properties(kTested).total_memory);
  EXPECT_EQ(cuda::memory_stats(kTested).current_bytes, before);
  EXPECT_EQ(cuda::memory_stats(kCPU).reserved_bytes, memory_stats().reserved_bytes);
}

TEST(CudaProperties, NameTheDevice) {
  EXPECT_FALSE(cuda::get_device_name(kTested).empty());
  if (kTested.type == DeviceType::Emulated) {
    EXPECT_EQ(cuda::get_device_name(kTested), "emulated");
  }
  EXPECT_EQ(cuda::get_device_capability(kTested).first, cuda::get_device_properties(kTested).major);
  EXPECT_EQ(cuda::is_bf16_supported(), cuda::is_available() && cuda::get_device_capability().first >= 8);
}

TEST(CudaWithoutAGpu, CountsNothingAndSaysWhy) {
  const Device none(DeviceType::Emulated, 7);
  EXPECT_EQ(cuda::memory_allocated(none), 0);
  EXPECT_EQ(cuda::max_memory_allocated(none), 0);
  EXPECT_EQ(cuda::memory_reserved(none), 0);
  cuda::reset_peak_memory_stats(none);
  cuda::empty_cache(none);
  EXPECT_THAT(message_of([&] { cuda::get_device_name(none); }),
              HasSubstr("get_device_name: there is no device emulated:7"));
  EXPECT_THAT(message_of([&] { cuda::synchronize(none); }), HasSubstr("synchronize: there is no device"));
  EXPECT_THAT(message_of([&] { cuda::mem_get_info(none); }), HasSubstr("mem_get_info: there is no device"));
  EXPECT_EQ(message_of([] { cuda::get_device_capability(kCPU); }),
            "get_device_capability: needs a device other than the CPU, got cpu");
}

}  // namespace
}  // namespace gradus
