// Adapters in PEFT's files: tests/fixtures/make_adapters.py made those that are read, and reads those that are written.
#include <gradus/autograd.h>
#include <gradus/gradus.h>
#include <gradus/io/safetensors.h>
#include <gradus/training/adapter_files.h>

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/formula.h"
#include "support/message.h"
#include "support/paths.h"
#include "support/temp_folder.h"

namespace gradus {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

struct Net : nn::Module {
  nn::Embedding emb = add("emb", nn::Embedding(10, 6));
  nn::Conv1d conv = add("conv", nn::Conv1d(6, 6, 3, {.padding = 1}));
  nn::Linear fc1 = add("fc1", nn::Linear(6, 8));
  nn::MultiheadAttention attn = add("attn", nn::MultiheadAttention(8, 2, {.batch_first = true}));
  nn::Linear fc2 = add("fc2", nn::Linear(8, 3, {.bias = false}));
  Tensor forward(const Tensor& ids) override {
    Tensor x = emb(ids);
    x = relu(conv(x.transpose(1, 2)).transpose(1, 2));
    x = tanh(fc1(x));
    x = x + attn(x, x, x, {.need_weights = false}).first;
    return fc2(x);
  }
};

Net base() {
  Net net;
  net.to(kFloat64);
  test::fill(net);
  return net;
}

Tensor ids() { return remainder(reshape(arange(10), {2, 5}) * 7, tensor(std::int64_t{10})); }

std::string fixture(const std::string& name) { return test::source_path("tests/fixtures/adapters/" + name); }

void expect_output(const Tensor& y, const json& wanted) {
  const Tensor numbers = tensor(wanted.get<std::vector<double>>(), {.dtype = kFloat64});
  EXPECT_TRUE(allclose(y.detach().flatten(), numbers, 1e-9, 1e-9)) << y.flatten() << numbers;
}

std::map<std::string, std::vector<double>> base_values(const nn::Module& net) {
  std::map<std::string, std::vector<double>> all;
  for (const auto& [name, p] : net.named_parameters())
    if (name.find("adapters.") == std::string::npos) all[name] = p.to_vector<double>();
  return all;
}

TEST(AdapterFiles, PeftsAreReadTrainedMergedAndWritten) {
  const json expected = json::parse(std::ifstream(fixture("expected.json")));
  ASSERT_EQ(expected.size(), 6U);
  const test::TempFolder temp;
  const char* keep = std::getenv("GRADUS_KEEP_ADAPTERS");
  for (const auto& [name, recorded] : expected.items()) {
    SCOPED_TRACE(name);
    Net net = base();
    const auto before = base_values(net);
    training::load_adapter(net, fixture(name));
    net.eval();
    expect_output(net(ids()), recorded["output"]);
    net.train();
    optim::AdamW optimizer(nn::adapter_parameters(net), {.lr = 0.05, .weight_decay = 0.01});
    for (const double wanted : recorded["losses"].get<std::vector<double>>()) {
      const Tensor y = net(ids());
      const Tensor difference = y - test::uniform("y", y.sizes());
      const Tensor loss = mean(difference * difference);
      EXPECT_NEAR(loss.item(), wanted, 1e-8);
      optimizer.zero_grad();
      loss.backward();
      optimizer.step();
    }
    net.eval();
    const Tensor after = net(ids()).detach();
    expect_output(after, recorded["after"]);
    EXPECT_EQ(base_values(net), before);

    const std::string folder = (keep != nullptr ? fs::path(keep) : fs::path(temp.path())) / name;
    training::save_adapter(net, folder, {.base_model = "base"});
    Net again = base();
    training::load_adapter(again, folder);
    again.eval();
    EXPECT_TRUE(equal(again(ids()).detach(), after));

    const auto report = nn::merge_adapter(net, "default", [&] { return net(ids()); });
    EXPECT_LT(report.largest_output_change, 1e-12);
    EXPECT_GT(report.largest_weight_change, 0);
    expect_output(net(ids()), recorded["merged"]);
    nn::unmerge_adapter(net);
    EXPECT_EQ(base_values(net), before);
    EXPECT_TRUE(equal(net(ids()).detach(), after));
  }
}

TEST(AdapterFiles, AttentionHasPeftsNamesAndBothProjections) {
  const test::TempFolder temp;
  const io::Value file = io::load_safetensors(fixture("attention") + "/adapter_model.safetensors").tensors;
  Net net = base(), merged = base();
  EXPECT_THAT(training::load_adapter(net, fixture("attention")), ElementsAre("attn", "attn.out_proj"));
  {
    const NoGrad guard;
    const auto delta = [&](const std::string& path) {
      const std::string start = "base_model.model." + path;
      return matmul(file.as_tensor({start + ".lora_B.weight"}), file.as_tensor({start + ".lora_A.weight"})) * 1.5;
    };
    merged.attn.in_proj_weight.add_(delta("attn"));
    merged.attn.out_proj.weight.add_(delta("attn.base_layer.out_proj"));
  }
  EXPECT_TRUE(allclose(net.eval()(ids()), merged.eval()(ids()), 1e-12, 1e-12));
  training::save_adapter(net, temp.path());
  const io::Value again = io::load_safetensors(temp.path() + "/adapter_model.safetensors").tensors;
  ASSERT_EQ(again.size(), file.size());
  for (const auto& [key, value] : file.entries())
    EXPECT_TRUE(equal(again.as_tensor({key}), value.as_tensor())) << key.to_string();
}

TEST(AdapterFiles, BottlenecksAndPrefixesAreWrittenAndRead) {
  const test::TempFolder temp;
  manual_seed(1);
  Net net = base(), other = base();
  nn::bottleneck(net, "fc1", {.size = 3, .activation = "tanh", .scale = 0.5, .name = "small"});
  nn::prefix(net, "attn", {.tokens = 2, .name = "front"});
  {
    const NoGrad guard;
    for (const char* name : {"small", "front"})
      for (Tensor p : nn::adapter_parameters(net, name)) p.normal_();
  }
  nn::set_adapters(net, {"small", "front"});
  net.eval();
  other.eval();
  for (const char* name : {"small", "front"}) {
    training::save_adapter(net, (fs::path(temp.path()) / name).string(), {.name = name});
    training::load_adapter(other, (fs::path(temp.path()) / name).string(), {.name = name});
  }
  nn::set_adapters(other, {"small", "front"});
  EXPECT_TRUE(equal(net(ids()), other(ids())));
}

class Damaged : public testing::Test {
 protected:
  Damaged() {
    fs::copy(fixture("lora"), folder(), fs::copy_options::recursive);
    const io::Safetensors read =
        io::load_safetensors((fs::path(folder()) / "adapter_model.safetensors").string(), {.mmap = false});
    tensors = read.tensors;
    config = json::parse(std::ifstream(fs::path(folder()) / "adapter_config.json"));
  }
  std::string folder() const { return (fs::path(temp.path()) / "adapter").string(); }
  // What loading says of what is in `tensors` and `config`.
  std::string refusal() {
    io::save_safetensors((fs::path(folder()) / "adapter_model.safetensors").string(), tensors);
    std::ofstream(fs::path(folder()) / "adapter_config.json") << config.dump();
    Net net = base();
    const std::string what = message_of([&] { training::load_adapter(net, folder()); });
    EXPECT_TRUE(nn::adapter_names(net).empty());
    for (const Tensor& p : net.parameters()) EXPECT_FALSE(is_frozen(p));
    return what;
  }
  test::TempFolder temp;
  io::Value tensors;
  json config;
};

TEST_F(Damaged, IsAnErrorThatNamesWhatIsWrong) {
  const std::string fc1 = "base_model.model.fc1.lora_A.weight";
  const Tensor a = tensors.as_tensor({fc1});
  tensors.set(fc1, zeros({2, 7}, {.dtype = kFloat64}));
  EXPECT_THAT(refusal(), HasSubstr("has 'lora_A.weight' of float64 [2, 7] for 'fc1', which needs [2, 6]"));
  tensors.set(fc1, zeros({3, 6}, {.dtype = kFloat64}));
  EXPECT_THAT(refusal(), HasSubstr("where the config says rank 2"));
  tensors.set(fc1, zeros({2, 6}, {.dtype = kInt64}));
  EXPECT_THAT(refusal(), HasSubstr("of int64"));
  tensors.erase(fc1);
  EXPECT_THAT(refusal(), HasSubstr("has no 'lora_A.weight' for 'fc1'"));
  tensors.set(fc1, a);
  tensors.set("base_model.model.fc9.lora_A.weight", a);
  EXPECT_THAT(refusal(), HasSubstr("belongs to a layer that the network lacks: 'fc9'"));
  tensors.erase("base_model.model.fc9.lora_A.weight");
  tensors.set("fc1.lora_A.weight", a);
  EXPECT_THAT(refusal(), HasSubstr("does not begin with 'base_model.model.'"));
  tensors.erase("fc1.lora_A.weight");
  tensors.set("base_model.model.fc1.weight", a);
  EXPECT_THAT(refusal(), HasSubstr("holds weights of the base that are not the network's"));
  tensors.erase("base_model.model.fc1.weight");
  tensors.set("base_model.model.fc1.lora_C", a);
  EXPECT_THAT(refusal(), HasSubstr("is not a tensor of LORA"));
  tensors.erase("base_model.model.fc1.lora_C");
  tensors.set("base_model.model.fc1.lora_magnitude_vector", zeros({8}, {.dtype = kFloat64}));
  EXPECT_THAT(refusal(), HasSubstr("where the config has no use for it"));
  tensors.erase("base_model.model.fc1.lora_magnitude_vector");
  config["use_dora"] = true;
  EXPECT_THAT(refusal(), HasSubstr("has no 'lora_magnitude_vector'"));
  config["use_dora"] = "yes";
  EXPECT_THAT(refusal(), HasSubstr("use_dora must be true or false, got \"yes\""));
  config["use_dora"] = false;
  config["r"] = "many";
  EXPECT_THAT(refusal(), HasSubstr("r must be a number"));
  config["r"] = 2;
  config["modules_to_save"] = "fc2";
  EXPECT_THAT(refusal(), HasSubstr("modules_to_save must be a list of names"));
  config["modules_to_save"] = {"conv"};
  tensors.set("base_model.model.conv.weight", a);
  EXPECT_THAT(refusal(), HasSubstr("has all of 'conv', which is a Conv1d"));
  tensors.erase("base_model.model.conv.weight");
  config["modules_to_save"] = nullptr;
  config["peft_type"] = "LOHA";
  EXPECT_THAT(refusal(), HasSubstr("peft_type must be LORA, IA3, PREFIX_TUNING, BOTTLENECK or PREFIX, got \"LOHA\""));
  config["peft_type"] = "LORA";
  tensors = io::Value::dict();
  EXPECT_THAT(refusal(), HasSubstr("holds no adapter"));
  Net net = base();
  std::ofstream(fs::path(folder()) / "adapter_config.json") << "{\"peft_type\": ";
  EXPECT_THAT(message_of([&] { training::load_adapter(net, folder()); }), HasSubstr("is not a JSON object"));
  EXPECT_THAT(message_of([&] { training::load_adapter(net, folder() + "x"); }), HasSubstr("adapter_config.json"));
  EXPECT_THAT(message_of([&] { training::save_adapter(net, folder()); }), HasSubstr("has an adapter 'default'"));
}

}  // namespace
}  // namespace gradus
