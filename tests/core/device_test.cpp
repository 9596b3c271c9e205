#include <gradus/core/device.h>
#include <gradus/core/error.h>
#include <gtest/gtest.h>

#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;

TEST(Devices, AreReadAndWritten) {
  EXPECT_EQ(Device("cpu"), kCPU);
  EXPECT_EQ(Device("cuda"), kCUDA);
  EXPECT_EQ(Device("cuda:3"), Device(DeviceType::CUDA, 3));
  EXPECT_EQ(Device(std::string("emulated")), Device(DeviceType::Emulated));
  EXPECT_EQ(to_string(Device("cpu")), "cpu");
  EXPECT_EQ(to_string(Device("cuda:1")), "cuda:1");
  EXPECT_EQ(to_string(Device("emulated")), "emulated");
  for (const char* text : {"", "gpu", "cuda:", "cuda:-1", "cuda:1x", "cuda:128", "CPU", "cpu ", ":0"}) {
    EXPECT_EQ(message_of([&] { Device{text}; }),
              "Device: must be cpu, cuda, cuda:INDEX or emulated, got '" + std::string(text) + "'");
  }
}

TEST(Devices, SayWhatIsThereAndWhyNot) {
  EXPECT_TRUE(is_available(kCPU));
  EXPECT_TRUE(is_available("emulated"));
  EXPECT_FALSE(is_available("emulated:1"));
  EXPECT_EQ(is_available(kCUDA), cuda::is_available());
  EXPECT_EQ(is_available("cuda:127"), cuda::device_count() == 128);
  EXPECT_EQ(message_of([] { require_available("zeros", "emulated:2"); }),
            "zeros: there is no device emulated:2: indices go from 0 to 0");
  synchronize(kCPU);
  const auto kinds = device_kinds();
  ASSERT_EQ(kinds.size(), 3u);
  EXPECT_EQ(kinds[0].name, "cpu");
  EXPECT_EQ(kinds[0].count, 1);
  EXPECT_EQ(kinds[1].count, cuda::device_count());
  EXPECT_NE(kinds[1].about, "");
  EXPECT_EQ(kinds[2].name, "emulated");
  EXPECT_EQ(kinds[2].count, 1);
}

TEST(Devices, WithoutAGpuCudaSaysWhy) {
  if (cuda::is_available()) GTEST_SKIP() << "there is one";
  const std::string why = device_kinds()[1].about;
  EXPECT_EQ(message_of([] { require_available("to", kCUDA); }), "to: there is no device cuda:0: " + why);
  EXPECT_EQ(message_of([] { synchronize(kCUDA); }), "synchronize: there is no device cuda:0: " + why);
}

}  // namespace
}  // namespace gradus
