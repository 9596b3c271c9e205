// Kind 3: what a module knows of itself.
#include <map>

#include "optim/audit_programs/programs.h"

namespace gradus::programs {

namespace {

struct Forgotten : nn::Module {
  nn::Linear a = add("a", nn::Linear(4, 8));
  nn::Linear hidden = nn::Linear(8, 8);  // without add()
  nn::Linear b = add("b", nn::Linear(8, 3));
  Tensor forward(const Tensor& x) override { return b(relu(hidden(relu(a(x))))); }
};
struct Remembered : nn::Module {
  nn::Linear a = add("a", nn::Linear(4, 8));
  nn::Linear hidden = add("hidden", nn::Linear(8, 8));
  nn::Linear b = add("b", nn::Linear(8, 3));
  Tensor forward(const Tensor& x) override { return b(relu(hidden(relu(a(x))))); }
};

struct InVector : nn::Module {
  std::vector<nn::Linear> layers{nn::Linear(4, 8), nn::Linear(8, 8)};
  nn::Linear b = add("b", nn::Linear(8, 3));
  Tensor forward(const Tensor& x) override {
    Tensor h = x;
    for (nn::Linear& layer : layers) h = relu(layer(h));
    return b(h);
  }
};
struct InModuleList : nn::Module {
  nn::ModuleList layers = add("layers", nn::ModuleList(nn::Linear(4, 8), nn::Linear(8, 8)));
  nn::Linear b = add("b", nn::Linear(8, 3));
  Tensor forward(const Tensor& x) override { return b(relu(layers[1](relu(layers[0](x))))); }
};

struct PlainTensor : nn::Module {
  nn::Linear a = add("a", nn::Linear(4, 3));
  Tensor scale = ones({3}, {.requires_grad = true});
  Tensor forward(const Tensor& x) override { return a(x) * scale; }
};
struct AsParameter : nn::Module {
  nn::Linear a = add("a", nn::Linear(4, 3));
  nn::Parameter scale = add("scale", nn::Parameter(ones({3})));
  Tensor forward(const Tensor& x) override { return a(x) * scale; }
};
struct AsBuffer : nn::Module {
  nn::Linear a = add("a", nn::Linear(4, 3));
  nn::Buffer scale = add("scale", nn::Buffer(ones({3})));
  Tensor forward(const Tensor& x) override { return a(x) * scale; }
};

struct InMap : nn::Module {
  nn::Linear trunk = add("trunk", nn::Linear(4, 8));
  std::map<std::string, std::shared_ptr<nn::Linear>> heads{{"classes", std::make_shared<nn::Linear>(8, 3)}};
  Tensor forward(const Tensor& x) override { return (*heads.at("classes"))(relu(trunk(x))); }
};

struct MadeInForward : nn::Module {
  nn::Linear b = add("b", nn::Linear(8, 3));
  Tensor forward(const Tensor& x) override { return b(relu(nn::Linear(4, 8)(x))); }
};

struct Positions : nn::Module {
  nn::Linear embed = add("embed", nn::Linear(1, 8)), out = add("out", nn::Linear(8, 3));
  Tensor position = randn({1, 4, 8}, {.requires_grad = true});
  Tensor forward(const Tensor& x) override { return out((embed(x.unsqueeze(2)) + position).mean(1)); }
};
struct RegisteredPositions : nn::Module {
  nn::Linear embed = add("embed", nn::Linear(1, 8)), out = add("out", nn::Linear(8, 3));
  nn::Parameter position = add("position", nn::Parameter(randn({1, 4, 8})));
  Tensor forward(const Tensor& x) override { return out((embed(x.unsqueeze(2)) + position).mean(1)); }
};

template <class M>
AuditReport trained(M net) {
  const Data data;
  optim::SGD opt(net, {.lr = 0.1});
  Audit audit(net, {opt});
  train(opt, data, 2, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
  return audit.report();
}

}  // namespace

Programs registration() {
  return {
      {3, "a layer as a member without add()", "unregistered",
       [](bool mistake) { return mistake ? trained(Forgotten()) : trained(Remembered()); }},
      {3, "layers in a std::vector", "unregistered",
       [](bool mistake) { return mistake ? trained(InVector()) : trained(InModuleList()); }},
      {3, "a plain tensor that requires a gradient", "unregistered",
       [](bool mistake) { return mistake ? trained(PlainTensor()) : trained(AsParameter()); }},
      {3, "a head in a std::map", "unregistered",
       [](bool mistake) { return mistake ? trained(InMap()) : trained(Remembered()); }},
      {3, "position embeddings as a plain tensor", "unregistered",
       [](bool mistake) { return mistake ? trained(Positions()) : trained(RegisteredPositions()); }},
      {3, "a layer made anew in each forward", "made-in-forward",
       [](bool mistake) { return mistake ? trained(MadeInForward()) : trained(Net()); }},
      {3, "a buffer with requires_grad_", "buffer-trained",
       [](bool mistake) {
         if (!mistake) return trained(AsParameter());
         AsBuffer net;
         net.scale.requires_grad_();
         return trained(net);
       }},
      {3, "buffers handed to an optimizer", "buffer-trained",
       [](bool mistake) {
         const Data data;
         Regularised net;
         std::vector<Tensor> all = net.parameters();
         if (mistake)
           for (const Tensor& buffer : net.buffers())
             if (buffer.is_floating_point()) all.push_back(buffer);
         optim::SGD opt(all, {.lr = 0.1});
         Audit audit(net, {opt});
         train(opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
         return audit.report();
       }},
      {3, "a head that replaces another after the optimizer was made", "detached",
       [](bool mistake) {
         const Data data;
         Net net;
         if (!mistake) net.b = nn::Linear(8, 3);
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         if (mistake) net.b = nn::Linear(8, 3);
         train(opt, data, 2, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
         return audit.report();
       }},
  };
}

}  // namespace gradus::programs
