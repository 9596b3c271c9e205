#include "distributed/connection/environment.h"

#include <gmock/gmock.h>
#include <gradus/distributed.h>
#include <gtest/gtest.h>

#include <map>

#include "support/message.h"

namespace gradus::distributed {
namespace {

using Variables = std::map<std::string, std::string>;

Launch found(const Variables& variables, const std::string& backend = "") {
  return launch_of(
      [&](const char* name) {
        const auto it = variables.find(name);
        return it == variables.end() ? nullptr : it->second.c_str();
      },
      backend);
}

std::string refused(const Variables& variables, const std::string& backend = "") {
  return test::message_of<DistributedError>([&] { found(variables, backend); });
}

const Variables kTorchrun{{"RANK", "1"}, {"WORLD_SIZE", "4"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "29500"}};

TEST(Environment, AProgramStartedAloneIsOneProcess) {
  EXPECT_EQ(found({}).backend, "none");
  EXPECT_EQ(found({{"OMPI_COMM_WORLD_SIZE", "1"}}).backend, "none");
  EXPECT_EQ(found({{"PMI_SIZE", "1"}, {"PMI_RANK", "0"}}).backend, "none");
  Variables one = kTorchrun;
  one["RANK"] = "0";
  one["WORLD_SIZE"] = "1";
  EXPECT_EQ(found(one).backend, "none");
}

TEST(Environment, EachLauncherIsKnownByItsVariables) {
  const Launch ompi =
      found({{"OMPI_COMM_WORLD_SIZE", "6"}, {"OMPI_COMM_WORLD_LOCAL_SIZE", "3"}, {"OMPI_COMM_WORLD_LOCAL_RANK", "2"}});
  EXPECT_EQ(ompi.backend, "openmpi");
  EXPECT_EQ(ompi.size, 6);
  EXPECT_EQ(ompi.local_size, 3);
  EXPECT_EQ(ompi.local_rank, 2);
  EXPECT_EQ(found({{"PMI_SIZE", "2"}, {"PMI_RANK", "1"}}).backend, "mpich");
  EXPECT_EQ(found({{"PMIX_RANK", "0"}, {"SLURM_NTASKS", "8"}}).backend, "openmpi");
  const Launch torch = found(kTorchrun);
  EXPECT_EQ(torch.backend, "gloo");
  EXPECT_EQ(torch.config.rank, 1);
  EXPECT_EQ(torch.config.address, "a");
  EXPECT_EQ(torch.config.port, 29500);
}

TEST(Environment, TorchrunsOwnStoreKeepsItsPort) {
  Variables variables = kTorchrun;
  variables["TORCHELASTIC_USE_AGENT_STORE"] = "True";
  EXPECT_EQ(found(variables).config.port, 29501);
}

TEST(Environment, AFolderStandsForAnAddress) {
  const Launch launch = found({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"GRADUS_FILE_STORE", "/shared/run"}});
  EXPECT_EQ(launch.backend, "gloo");
  EXPECT_EQ(launch.config.store, "/shared/run");
}

TEST(Environment, WhatIsMissingIsNamed) {
  for (const auto& [name, value] : kTorchrun) {
    Variables variables = kTorchrun;
    variables.erase(name);
    EXPECT_THAT(refused(variables), testing::HasSubstr("but not " + name + ": set it, as torchrun does"));
    variables[name] = "";
    EXPECT_THAT(refused(variables), testing::HasSubstr("but not " + name));
  }
  EXPECT_THAT(refused({}, "mpi"), testing::HasSubstr("start it with mpirun"));
  EXPECT_THAT(refused({}, "gloo"), testing::HasSubstr("RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT: set them"));
  EXPECT_THROW(found({}, "nccl"), ValueError);
}

TEST(Environment, NumbersAreChecked) {
  for (const auto& [name, value] : Variables{{"RANK", "4"},
                                             {"RANK", "-1"},
                                             {"WORLD_SIZE", "0"},
                                             {"WORLD_SIZE", "x"},
                                             {"MASTER_PORT", "70000"},
                                             {"MASTER_PORT", "1x"}}) {
    Variables variables = kTorchrun;
    variables[name] = value;
    EXPECT_THAT(refused(variables), testing::HasSubstr(name + " must be a number from")) << value;
  }
}

}  // namespace
}  // namespace gradus::distributed
