// A generative adversarial network: the discriminator steps alone; the generator's gradient passes through a
// discriminator that does not move.
// Usage: gan [STEPS]
#include <gradus/gradus.h>
#include <gradus/training/receipt.h>

#include <cstdio>
#include <cstdlib>

using namespace gradus;

struct discriminator : nn::Module {
  nn::Sequential dis = add("dis", nn::Sequential(nn::Linear(784, 256), nn::LeakyReLU(0.2),  //
                                                 nn::Linear(256, 256), nn::LeakyReLU(0.2),  //
                                                 nn::Linear(256, 1), nn::Sigmoid()));
  Tensor forward(const Tensor& x) override { return dis(x); }
};

struct generator : nn::Module {
  nn::Sequential gen = add("gen", nn::Sequential(nn::Linear(100, 256), nn::ReLU(true),  //
                                                 nn::Linear(256, 256), nn::ReLU(true),  //
                                                 nn::Linear(256, 784), nn::Tanh()));
  Tensor forward(const Tensor& z) override { return gen(z); }
};

int main(int argc, char** argv) {
  const int steps = argc > 1 ? std::atoi(argv[1]) : 200;
  manual_seed(1);
  discriminator D;
  generator G;
  nn::BCELoss criterion;
  optim::Adam d_optimizer(D.parameters(), {.lr = 3e-4});
  optim::Adam g_optimizer(G.parameters(), {.lr = 3e-4});
  optim::Audit audit({{"D", D}, {"G", G}}, {d_optimizer, g_optimizer});
  training::Receipt receipt({{"D", D}, {"G", G}}, {{"d_optimizer", d_optimizer}, {"g_optimizer", g_optimizer}});

  const Tensor real_label = ones({32, 1}), fake_label = zeros({32, 1});
  Tensor d_loss, g_loss;
  for (int step = 0; step < steps; ++step) {
    const Tensor real = (randn({32, 784}) * 0.1 + 0.5).clamp(-1, 1);

    const Tensor fake = G(randn({32, 100})).detach();
    d_loss = criterion(D(real), real_label) + criterion(D(fake), fake_label);
    d_optimizer.zero_grad();
    d_loss.backward();
    d_optimizer.step();

    g_loss = criterion(D(G(randn({32, 100}))), real_label);
    g_optimizer.minimize(g_loss);  // no gradient of D's weights is computed, and none is stored
  }
  std::printf("d_loss %.3f  g_loss %.3f\n", d_loss.item(), g_loss.item());
  const optim::AuditReport report = audit.report();
  std::printf("%s", report.to_string().c_str());
  const training::ReceiptReport done = receipt.report();
  std::printf("%s", done.to_string().c_str());
  return report.findings.empty() && done.separate() ? 0 : 1;
}
