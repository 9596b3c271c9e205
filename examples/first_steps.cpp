// First steps: tensors, gradients, a network, training, files. For docs/getting-started.md.
// Usage: first_steps [FOLDER FOR FILES]
#include <gradus/gradus.h>

#include <cstdio>
#include <iostream>
#include <string>

using namespace gradus;

// Two hidden layers: points of the plane [batch, 2] -> scores of two classes [batch, 2].
struct Net : nn::Module {
  nn::Linear fc1 = add("fc1", nn::Linear(2, 32));
  nn::Linear fc2 = add("fc2", nn::Linear(32, 32));
  nn::Linear out = add("out", nn::Linear(32, 2));
  Tensor forward(const Tensor& x) override { return out(relu(fc2(relu(fc1(x))))); }
};

void tensors() {
  Tensor x = arange(6, {.dtype = kFloat32}).reshape({2, 3});
  Tensor y = x[1] * 2 + 1;  // the second row
  std::cout << x << "\n" << y << "\n" << matmul(x, x.t()) << "\n";
}

void gradients() {
  Tensor x = tensor({1.0, 2.0, 3.0}, {.requires_grad = true});
  Tensor loss = (x * x).sum();
  loss.backward();
  std::cout << x.grad() << "\n";  // 2 x
}

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : ".";
  tensors();
  gradients();

  // Two classes: is a point inside a circle?
  manual_seed(1);
  const Tensor points = rand({512, 2}) * 2 - 1;
  const Tensor inside = (points.pow(2).sum(1) < 0.5).to(kInt64);

  Net net;
  std::cout << net.to_string() << "\n";
  optim::Adam optimizer(net.parameters(), {.lr = 0.01});
  nn::CrossEntropyLoss criterion;
  for (int step = 0; step < 200; ++step) {
    Tensor loss = criterion(net(points), inside);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    if (step % 50 == 0) std::printf("step %3d, loss %.4f\n", step, loss.item());
  }

  double accuracy = 0;
  {
    NoGrad guard;
    net.eval();
    accuracy = (net(points).argmax(1) == inside).to(kFloat32).mean().item();
  }
  std::printf("accuracy %.3f\n", accuracy);

  const std::string path = folder + "/circle.safetensors";
  io::save(net.state_dict(), path);
  Net copy;
  copy.load_state_dict(io::load_state_dict(path));
  return accuracy > 0.95 && equal(copy(points), net(points)) ? 0 : 1;
}
