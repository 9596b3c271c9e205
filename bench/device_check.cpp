// What scripts/gpu-check times: the workloads W1 to W5 on a device and on the CPU, from the same start. One JSON object
// with the losses of the first steps on both, and the seconds of a step, which waits for the device once at its end.
//
//   gradus_device_check DEVICE [SECONDS per case]
#include <gradus/gradus.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace gradus;
namespace F = nn::functional;

struct Workload {
  std::function<Tensor()> step;  // returns the loss
  double bytes = 0;              // that a step must move, where that is its limit
};
struct Case {
  const char* name;
  std::function<Workload(Device)> make;
};

Tensor labels(std::int64_t n, Device device) { return remainder(arange(n), tensor(10)).to(device); }

// In `dtype` where it is one of 16 bits; float16's loss is scaled, which waits for the device once a step.
template <class Net>
Workload classifier(std::shared_ptr<Net> net, const Shape& sizes, Device device, Dtype dtype = kFloat32) {
  net->to(device);
  const auto optimizer =
      std::make_shared<optim::SGD>(net->parameters(), optim::SGDOptions{.lr = 1e-3, .momentum = 0.9});
  const Tensor x = randn(sizes).to(device), y = labels(sizes[0], device);
  const auto scaler =
      std::make_shared<amp::GradScaler>(amp::GradScalerOptions{.init_scale = 1024, .enabled = dtype == kFloat16});
  return {.step = [=] {
    optimizer->zero_grad();
    Tensor loss;
    {
      const Autocast scope(dtype == kFloat16 ? kFloat16 : kBFloat16, dtype != kFloat32);
      loss = F::cross_entropy((*net)(x), y);
    }
    scaler->scale(loss).backward();
    scaler->step(*optimizer);
    scaler->update();
    return loss.detach();
  }};
}

Workload autoencoder(std::int64_t batch, Device device) {
  const auto net = std::make_shared<models::AutoEncoder>(16, 8);
  net->to(device);
  const auto optimizer = std::make_shared<optim::Adam>(net->parameters(), optim::AdamOptions{.lr = 1e-3});
  const Tensor messages = remainder(arange(batch), tensor(16)).to(device);
  const Tensor x = one_hot(messages, 16).to(kFloat32);
  return {.step = [=] {
    optimizer->zero_grad();
    const Tensor loss = F::cross_entropy((*net)(x, 0.5), messages);
    loss.backward();
    optimizer->step();
    return loss.detach();
  }};
}

Workload gan(Device device) {
  struct Pair {
    models::Discriminator D;
    models::Generator G;
    optim::Adam d{D.parameters(), {.lr = 2e-4}}, g{G.parameters(), {.lr = 2e-4}};
  };
  const auto pair = std::make_shared<Pair>();
  pair->D.to(device);
  pair->G.to(device);
  const Tensor images = (rand({128, 784}) * 2 - 1).to(device);
  const Tensor real = ones({128, 1}, {.device = device}), fake = zeros({128, 1}, {.device = device});
  return {.step = [=] {
    const Tensor made = pair->G(randn({128, 100}, {.device = device}));
    const Tensor d_loss =
        F::binary_cross_entropy(pair->D(images), real) + F::binary_cross_entropy(pair->D(made.detach()), fake);
    pair->d.zero_grad();
    d_loss.backward();
    pair->d.step();
    const Tensor g_loss = F::binary_cross_entropy(pair->D(made), real);
    pair->g.zero_grad();
    g_loss.backward();
    pair->g.step();
    return (d_loss + g_loss).detach();
  }};
}

// Adam over as many elements as ResNet-50 has.
Workload adam(Device device) {
  const Tensor p = randn({25'557'032}).to(device).requires_grad_();
  p.set_grad(ones_like(p.detach()));
  const auto optimizer = std::make_shared<optim::Adam>(optim::Params({p}), optim::AdamOptions{});
  return {.step =
              [=] {
                optimizer->step();
                return p.detach().narrow(0, 0, 1).sum();
              },
          .bytes = 25'557'032.0 * 4 * 7};
}

// The same, recorded by the third call and repeated from then on.
Workload recorded(const Workload& plain) {
  const auto step = std::make_shared<GraphedStep>(plain.step, GraphedStepOptions{.warmup = 2});
  return {.step = [step] { return (*step)(); }, .bytes = plain.bytes};
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"W1 autoencoder, batch 64", [](Device d) { return autoencoder(64, d); }},
      {"W1 autoencoder, batch 1024", [](Device d) { return autoencoder(1024, d); }},
      {"W1 autoencoder, batch 64, recorded", [](Device d) { return recorded(autoencoder(64, d)); }},
      {"W2 GAN, batch 128", gan},
      {"W2 GAN, batch 128, recorded", [](Device d) { return recorded(gan(d)); }},
      {"W3 LeNet, batch 64",
       [](Device d) {
         return classifier(std::make_shared<models::LeNet>(10), {64, 3, 32, 32}, d);
       }},
      {"W3 LeNet, batch 64, recorded",
       [](Device d) {
         return recorded(classifier(std::make_shared<models::LeNet>(10), {64, 3, 32, 32}, d));
       }},
      {"W3 LeNet, batch 64, float16",
       [](Device d) {
         return classifier(std::make_shared<models::LeNet>(10), {64, 3, 32, 32}, d, kFloat16);
       }},
      {"W4 ResNet-18, batch 8, 64 x 64",
       [](Device d) {
         return classifier(std::make_shared<models::ResNet>(models::resnet18()), {8, 3, 64, 64}, d);
       }},
      {"W4 ResNet-50, batch 32, 224 x 224",
       [](Device d) {
         return classifier(std::make_shared<models::ResNet>(models::resnet50()), {32, 3, 224, 224}, d);
       }},
      {"W4 ResNet-50, batch 32, bfloat16",
       [](Device d) {
         return classifier(std::make_shared<models::ResNet>(models::resnet50()), {32, 3, 224, 224}, d, kBFloat16);
       }},
      {"W4 ResNet-50, batch 32, float16",
       [](Device d) {
         return classifier(std::make_shared<models::ResNet>(models::resnet50()), {32, 3, 224, 224}, d, kFloat16);
       }},
      {"W5 Adam, 25.6 M parameters", adam}};
  return all;
}

struct Timed {
  std::vector<double> losses;
  double seconds = 0, bytes = 0;
  int steps = 0;
};

Timed timed(const Case& one, Device device, int checked, double limit) {
  using Clock = std::chrono::steady_clock;
  manual_seed(1);
  const Workload work = one.make(device);
  Timed result;
  result.bytes = work.bytes;
  for (int i = 0; i < checked; ++i) result.losses.push_back(work.step().item());
  const auto start = Clock::now();
  const auto passed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  // A batch of steps between two looks at the clock, each of which waits for the device.
  for (int batch = 1; result.steps == 0 || (passed() < limit && result.steps < 10000);
       batch = std::min(batch * 2, 64)) {
    for (int i = 0; i < batch; ++i) work.step();
    synchronize(device);
    result.steps += batch;
  }
  result.seconds = passed() / result.steps;
  return result;
}

void print(const char* key, const std::vector<double>& values) {
  std::printf("\"%s\": [", key);
  // JSON has no NaN; Python's reader takes this one.
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::printf(i == 0 ? "" : ", ");
    std::isfinite(values[i]) ? std::printf("%.9g", values[i]) : std::printf("NaN");
  }
  std::printf("]");
}

int run(Device device, double seconds) {
  require_available("gradus_device_check", device);
  std::printf("{\"device\": \"%s\", \"cases\": [", to_string(device).c_str());
  bool first = true;
  for (const Case& one : cases()) {
    // The large ones would take minutes on a CPU: they are timed on a GPU alone.
    const bool large = std::string(one.name).find("ResNet-50") != std::string::npos;
    if (large && device.type != DeviceType::CUDA) continue;
    const Timed there = timed(one, device, large ? 2 : 5, seconds);
    const Timed here = large ? Timed{} : timed(one, kCPU, 5, seconds);
    std::printf("%s\n  {\"name\": \"%s\", ", first ? "" : ",", one.name);
    print("losses", there.losses);
    std::printf(", ");
    print("losses_cpu", here.losses);
    std::printf(", \"seconds\": %.9g, \"steps\": %d, \"seconds_cpu\": %.9g, \"bytes_per_second\": %.6g}", there.seconds,
                there.steps, here.seconds, there.bytes / there.seconds);
    std::fflush(stdout);
    first = false;
  }
  std::printf("\n]}\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 2) throw Error("usage: gradus_device_check DEVICE [SECONDS per case]");
    return run(Device(argv[1]), argc > 2 ? std::atof(argv[2]) : 2);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
