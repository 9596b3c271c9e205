// A program of somebody else: it sees an installed copy of Gradus and nothing more. Trains, catches an error, and reads
// a file back, so that types cross the border of the library in both directions.
#include <gradus/gradus.h>

#include <cstdio>

using namespace gradus;

struct Net : nn::Module {
  nn::Linear fc1 = add("fc1", nn::Linear(4, 8));
  nn::Linear fc2 = add("fc2", nn::Linear(8, 2));
  Tensor forward(const Tensor& x) override { return fc2(relu(fc1(x))); }
};

int main() {
  manual_seed(1);
  Net net;
  optim::SGD optimizer(net.parameters(), {.lr = 0.1});
  const Tensor x = randn({16, 4});
  const double before = net(x).pow(2).mean().item();
  for (int step = 0; step < 20; ++step) optimizer.minimize(net(x).pow(2).mean());
  const double after = net(x).pow(2).mean().item();

  bool caught = false;
  try {
    matmul(x, x);
  } catch (const ShapeError& error) {
    caught = true;
  }
  io::save("consumer.safetensors", net.state_dict());
  Net copy;
  copy.load_state_dict(io::load_state_dict("consumer.safetensors"));
  const bool same = equal(copy(x), net(x));

  std::printf("gradus %s: loss %.4f -> %.4f\n", version(), before, after);
  return after < before && caught && same ? 0 : 1;
}
