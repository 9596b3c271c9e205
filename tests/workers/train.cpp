#include <cstdio>

#include <gradus/models/autoencoder.h>

#include "worker.h"

namespace gradus::test {

namespace {

struct Messages : nn::Module {
  models::AutoEncoder codes = add("codes", models::AutoEncoder(16, 7));
  Tensor forward(const Tensor& x) override { return codes(x, 0.5); }
};

template <class Net>
void run(const std::string& mode, int steps, std::int64_t chunks, std::int64_t batch,
         const std::function<std::pair<Tensor, Tensor>()>& next) {
  manual_seed(1);
  Net net;
  const bool chunked = mode == "chunks";
  nn::DistributedDataParallel ddp(net, {.bucket_cap_mb = 0.004, .chunks = chunked ? chunks : 0});
  if (!chunked) ddp.eval();  // what depends on the batch would differ
  optim::AdamW optimizer(ddp.parameters(), {.lr = 1e-3});
  optimizer.set_clipping({.max_norm = 1.0});
  double loss = 0;
  for (int step = 0; step < steps; ++step) {
    const auto [x, y] = next();
    const auto part = [&, &x = x, &y = y](std::int64_t begin, std::int64_t size) {
      return nn::functional::cross_entropy(ddp(x.narrow(0, begin, size)), y.narrow(0, begin, size));
    };
    if (chunked) {
      optimizer.zero_grad();
      loss = ddp.backward_chunks(batch, [&](const nn::Chunk& chunk) { return part(chunk.begin, chunk.size); });
      optimizer.step();
    } else {
      const auto [begin, size] = ddp.local_samples(batch);
      optimizer.minimize(part(begin, size));
    }
  }
  ddp.check_same();
  double sum = 0;
  for (const Tensor& x : net.parameters()) sum += x.detach().to_double().abs().sum().item();
  char text[200];
  std::snprintf(text, sizeof text, "%s loss %.17g sum %.17g", hash_of(net).c_str(), loss, sum);
  say(text);
}

}  // namespace

// train chunks|plain pictures|messages STEPS CHUNKS BATCH
void train(const Arguments& arguments) {
  const int steps = std::stoi(arguments.at(2));
  const std::int64_t chunks = std::stoll(arguments.at(3)), batch = std::stoll(arguments.at(4));
  Generator data(5);
  if (arguments.at(1) == "pictures") {
    run<Pictures>(arguments.at(0), steps, chunks, batch, [&] {
      return std::pair(randn({batch, 1, 28, 28}, {}, &data), randint(0, 10, {batch}, {}, &data));
    });
  } else {
    run<Messages>(arguments.at(0), steps, chunks, batch, [&] {
      const Tensor y = randint(0, 16, {batch}, {}, &data);
      return std::pair(one_hot(y, 16).to(kFloat32), y);
    });
  }
}

}  // namespace gradus::test
