// What bench/network starts as the ranks of a job: networks of four sizes, trained by several processes.
//
//   gradus_processes hash NETWORK STEPS CHUNKS         the parameters' hash after STEPS of backward_chunks
//   gradus_processes time NETWORK BATCH STEPS CHUNKS   seconds of a step, with the exchange and without;
//                                                      CHUNKS 0: plain averaging
//   gradus_processes sum BYTES STEPS                   seconds of an all_reduce of so many bytes, and of a barrier
//   gradus_processes memory NETWORK WAY                each rank's bytes of gradients and state after two steps of
//                                                      AdamW, and at most since the network stands; WAY is plain,
//                                                      zero1 or zero2
//
// NETWORK is autoencoder, gan, lenet or resnet18. BATCH is that of one process. Rank 0 prints one JSON object.
#include <gradus/gradus.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace gradus;
namespace F = nn::functional;
using Part = std::function<Tensor(std::int64_t begin, std::int64_t size)>;  // the mean loss of these samples

// One loss and what it trains: a GAN has two, which take turns.
struct Turn {
  std::function<void(std::int64_t batch, bool chunks)> backward;
  std::function<nn::DistributedModule::NoSync()> no_sync;
  std::shared_ptr<optim::Optimizer> optimizer;
};
struct Job {
  std::vector<std::shared_ptr<nn::Module>> networks;
  std::vector<Turn> turns;
};

template <class Net>
void add(Job& job, const nn::DistributedDataParallel<Net>& ddp, const Part& loss) {
  const auto held = std::make_shared<nn::DistributedDataParallel<Net>>(ddp);
  job.networks.push_back(held);
  job.turns.push_back(
      {.backward =
           [held, loss](std::int64_t batch, bool chunks) {
             if (chunks) {
               held->backward_chunks(batch, [&](const nn::Chunk& c) { return loss(c.begin, c.size); },
                                     {.inputs = held->parameters()});
             } else {
               const auto [begin, size] = held->local_samples(batch);
               loss(begin, size).backward({.inputs = held->parameters()});
             }
           },
       .no_sync = [held] { return held->no_sync(); },
       .optimizer = std::make_shared<optim::SGD>(held->parameters(), optim::SGDOptions{.lr = 0.01, .momentum = 0.9})});
}

template <class Net>
Job classifier(Net net, const Shape& sizes, std::int64_t chunks) {
  nn::DistributedDataParallel<Net> ddp(std::move(net), {.chunks = chunks});
  const Tensor x = randn(sizes), y = randint(0, 10, {sizes[0]});
  Job job;
  add(job, ddp, [ddp, x, y](std::int64_t begin, std::int64_t size) mutable {
    return F::cross_entropy(ddp(x.narrow(0, begin, size)), y.narrow(0, begin, size));
  });
  return job;
}

Job gan(std::int64_t batch, std::int64_t chunks) {
  nn::DistributedDataParallel<models::Discriminator> D({}, {.chunks = chunks});
  nn::DistributedDataParallel<models::Generator> G({}, {.chunks = chunks});
  const Tensor images = rand({batch, 784}) * 2 - 1, noise = randn({batch, 100});
  const auto real = [](std::int64_t n) { return ones({n, 1}); };
  Job job;
  add(job, D, [=](std::int64_t begin, std::int64_t n) mutable {
    const Tensor made = G.module(noise.narrow(0, begin, n)).detach();
    return F::binary_cross_entropy(D(images.narrow(0, begin, n)), real(n)) +
           F::binary_cross_entropy(D(made), zeros({n, 1}));
  });
  add(job, G, [=](std::int64_t begin, std::int64_t n) mutable {
    return F::binary_cross_entropy(D.module(G(noise.narrow(0, begin, n))), real(n));
  });
  return job;
}

Job make(const std::string& network, std::int64_t batch, std::int64_t chunks) {
  manual_seed(1);
  if (network == "gan") return gan(batch, chunks);
  if (network == "lenet") return classifier(models::LeNet(), {batch, 3, 32, 32}, chunks);
  if (network == "resnet18") return classifier(models::resnet18({.num_classes = 10}), {batch, 3, 32, 32}, chunks);
  if (network != "autoencoder") throw ValueError("no network '" + network + "'");
  nn::DistributedDataParallel<models::AutoEncoder> ddp(models::AutoEncoder(16, 7), {.chunks = chunks});
  const Tensor messages = randint(0, 16, {batch}), x = one_hot(messages, 16).to(kFloat32);
  Job job;
  add(job, ddp, [=](std::int64_t begin, std::int64_t n) mutable {
    return F::cross_entropy(ddp(x.narrow(0, begin, n)), messages.narrow(0, begin, n));
  });
  return job;
}

double seconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void step(Job& job, std::int64_t batch, bool chunks) {
  for (Turn& turn : job.turns) {
    turn.optimizer->zero_grad();
    turn.backward(batch, chunks);
    turn.optimizer->step();
  }
}

void hash(const std::string& network, int steps, std::int64_t chunks) {
  const std::int64_t batch = 24;
  Job job = make(network, batch, chunks);
  for (int i = 0; i < steps; ++i) step(job, batch, true);
  std::uint64_t hash = 14695981039346656037U;
  for (const auto& net : job.networks) {
    for (const auto& [name, x] : net->state_dict()) {
      const Tensor row = x.contiguous();
      const auto* bytes = static_cast<const unsigned char*>(row.const_data_ptr());
      for (std::int64_t i = 0; i < row.numel() * row.element_size(); ++i) hash = (hash ^ bytes[i]) * 1099511628211U;
    }
  }
  if (distributed::rank() == 0)
    std::printf("{\"network\": \"%s\", \"ranks\": %d, \"backend\": \"%s\", \"hash\": \"%016llx\"}\n", network.c_str(),
                distributed::size(), distributed::backend().c_str(), static_cast<unsigned long long>(hash));
}

// The medians of steps with and without an exchange, and of the exchange alone, in turn: neighbours change all alike.
void time(const std::string& network, std::int64_t batch_of_one, int steps, std::int64_t chunks) {
  const std::int64_t batch = batch_of_one * distributed::size();
  Job job = make(network, batch, chunks);
  double bytes = 0;
  for (const auto& net : job.networks) {
    for (const Tensor& p : net->parameters()) bytes += static_cast<double>(p.numel() * p.element_size());
  }
  const Tensor gradients = ones({static_cast<std::int64_t>(bytes) / 4});
  std::vector<double> whole, alone, exchange;
  std::int64_t sent = 0;
  for (int i = -1; i < steps; ++i) {
    distributed::barrier();
    const std::int64_t before = distributed::bytes_sent();
    const double one = seconds([&] { step(job, batch, chunks > 0); });
    sent = distributed::bytes_sent() - before;
    distributed::barrier();
    const double quiet = seconds([&] {
      for (Turn& turn : job.turns) {
        const nn::DistributedModule::NoSync scope = turn.no_sync();
        turn.optimizer->zero_grad();
        turn.backward(batch, false);
        turn.optimizer->step();
      }
    });
    distributed::barrier();
    const double sum = seconds([&] { distributed::all_reduce(gradients, distributed::ReduceOp::Avg); });
    if (i < 0) continue;  // warm
    whole.push_back(one);
    alone.push_back(quiet);
    exchange.push_back(sum);
  }
  if (distributed::rank() == 0)
    std::printf(
        "{\"network\": \"%s\", \"ranks\": %d, \"backend\": \"%s\", \"batch\": %lld, \"chunks\": %lld, \"step\": %.6f, "
        "\"compute\": %.6f, \"exchange\": %.6f, \"gradient_bytes\": %.0f, \"sent_bytes\": %lld}\n",
        network.c_str(), distributed::size(), distributed::backend().c_str(), static_cast<long long>(batch_of_one),
        static_cast<long long>(chunks), median(whole), median(alone), median(exchange), bytes,
        static_cast<long long>(sent));
}

void sum(std::int64_t bytes, int steps) {
  const Tensor x = ones({bytes / 4});
  std::vector<double> sums, barriers;
  for (int i = -2; i < steps; ++i) {
    distributed::barrier();
    const double one = seconds([&] { distributed::all_reduce(x, distributed::ReduceOp::Avg); });
    distributed::barrier();
    const double wait = seconds([&] {
      for (int k = 0; k < 20; ++k) distributed::barrier();
    });
    if (i < 0) continue;  // warm
    sums.push_back(one);
    barriers.push_back(wait / 20);
  }
  if (distributed::rank() == 0)
    std::printf("{\"ranks\": %d, \"backend\": \"%s\", \"bytes\": %lld, \"sum\": %.6f, \"barrier\": %.7f}\n",
                distributed::size(), distributed::backend().c_str(), static_cast<long long>(bytes), median(sums),
                median(barriers));
}

// The largest resident size so far, and from here on.
double peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0) return 1024 * std::stod(line.substr(6));
  return 0;
}
void forget_peak() { std::ofstream("/proc/self/clear_refs") << 5; }

void memory(const std::string& network, const std::string& way) {
  if (way != "plain" && way != "zero1" && way != "zero2") throw ValueError("no way '" + way + "'");
  manual_seed(1);
  const std::int64_t one = 2, batch = one * distributed::size();
  std::shared_ptr<nn::Module> net;
  Tensor x, y;
  if (network == "resnet18") {
    net = models::make("resnet18", {{"num_classes", 10}});
    x = randn({one, 3, 32, 32});
    y = randint(0, 10, {one});
  } else if (network == "perceptron") {  // 16 layers of 4 MiB, whose activations are small
    auto layers = std::make_shared<nn::Sequential>();
    for (int i = 0; i < 16; ++i) layers->append(nn::Linear(1024, 1024));
    net = layers;
    x = randn({one, 1024});
    y = randint(0, 10, {one});
  } else {
    throw ValueError("no network '" + network + "' here");
  }
  nn::DistributedDataParallel ddp(net, {.bucket_cap_mb = 4});
  std::shared_ptr<optim::Optimizer> optimizer;
  if (way == "plain") {
    optimizer = std::make_shared<optim::AdamW>(ddp.parameters(), optim::AdamWOptions{.lr = 1e-3});
  } else {
    auto sharded = std::make_shared<optim::ZeroRedundancyOptimizer<optim::AdamW>>(ddp.parameters(),
                                                                                  optim::AdamWOptions{.lr = 1e-3});
    sharded->shard_gradients(way == "zero2");
    optimizer = sharded;
  }
  forget_peak();
  const double before = peak_bytes();
  double gradients = 0, state = 0;
  for (int step = 0; step < 2; ++step) {
    optimizer->zero_grad();
    F::cross_entropy(ddp(x), y).backward();
    optimizer->step();
  }
  for (const Tensor& p : ddp.parameters()) {
    if (const Tensor g = p.grad(); g.defined()) gradients += static_cast<double>(g.numel() * g.element_size());
    for (const auto& [name, s] : optimizer->state_tensors(p))
      state += static_cast<double>(s.numel() * s.element_size());
  }
  char numbers[100];
  std::snprintf(numbers, sizeof numbers, "%.0f %.0f %.0f", gradients, state, peak_bytes() - before);
  std::string lists[3];
  for (const std::string& theirs : distributed::all_gather_object(numbers)) {
    double of[3];
    std::sscanf(theirs.c_str(), "%lf %lf %lf", &of[0], &of[1], &of[2]);
    for (int i = 0; i < 3; ++i) lists[i] += (lists[i].empty() ? "" : ", ") + std::to_string(of[i]);
  }
  if (distributed::rank() == 0)
    std::printf(
        "{\"network\": \"%s\", \"way\": \"%s\", \"batch\": %lld, \"gradients\": [%s], \"state\": [%s], "
        "\"peak\": [%s]}\n",
        network.c_str(), way.c_str(), static_cast<long long>(batch), lists[0].c_str(), lists[1].c_str(),
        lists[2].c_str());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    distributed::init({.timeout = 120});
    if (words.size() == 4 && words[0] == "hash") {
      hash(words[1], std::stoi(words[2]), std::stoll(words[3]));
    } else if (words.size() == 5 && words[0] == "time") {
      time(words[1], std::stoll(words[2]), std::stoi(words[3]), std::stoll(words[4]));
    } else if (words.size() == 3 && words[0] == "sum") {
      sum(std::stoll(words[1]), std::stoi(words[2]));
    } else if (words.size() == 3 && words[0] == "memory") {
      memory(words[1], words[2]);
    } else {
      throw ValueError(
          "gradus_processes: hash NETWORK STEPS CHUNKS, time NETWORK BATCH STEPS CHUNKS, sum BYTES STEPS, or memory "
          "NETWORK WAY");
    }
    distributed::finalize();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rank %d says: %s\n", distributed::rank(), error.what());
    return 2;
  }
}
