// Kind 2: training and evaluation.
#include "optim/audit_programs/programs.h"

namespace gradus::programs {

namespace {

double accuracy(nn::Module& net, const Data& data) {
  const NoGrad guard;
  return (argmax(net(data.x), 1) == data.y).to(kFloat32).mean().item();
}

// F::dropout in forward, which has a switch of its own.
struct Functional : nn::Module {
  nn::Linear a = add("a", nn::Linear(4, 16)), b = add("b", nn::Linear(16, 3));
  bool forgets;
  explicit Functional(bool mistake) : forgets(mistake) {}
  Tensor forward(const Tensor& x) override { return b(dropout(relu(a(x)), 0.5, forgets || is_training())); }
};

struct WithBackbone : nn::Module {
  nn::Sequential backbone = add("backbone", nn::Sequential(nn::Linear(4, 8), nn::BatchNorm1d(8), nn::ReLU()));
  nn::Linear head = add("head", nn::Linear(8, 3));
  Tensor forward(const Tensor& x) override { return head(backbone(x)); }
};

AuditReport distil(bool mistake) {
  const Data data;
  Regularised teacher;
  Net student;
  optim::SGD opt(student, {.lr = 0.1});
  if (mistake)
    student.eval();  // meant was the teacher
  else
    teacher.eval();
  Audit audit({{"student", student}, {"teacher", teacher}}, {opt});
  train(opt, data, 3, [&](const Tensor& x, const Tensor&) {
    Tensor wanted;
    {
      const NoGrad guard;
      wanted = softmax(teacher(x) / 2, 1);
    }
    return F::kl_div(log_softmax(student(x) / 2, 1), wanted, {.reduction = nn::Reduction::BatchMean});
  });
  return audit.report();
}

}  // namespace

Programs modes() {
  return {
      {2, "eval() for validation, and never train() again", "trained-in-evaluation",
       [](bool mistake) {
         const Data data;
         Regularised net;
         optim::Adam opt(net);
         Audit audit(net, {opt});
         for (int epoch = 0; epoch < 3; ++epoch) {
           if (!mistake) net.train();
           train(opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
           net.eval();
           accuracy(net, data);
         }
         return audit.report();
       }},
      {2, "the loss of the validation data in training mode", "validated-in-training",
       [](bool mistake) {
         const Data data, other;
         Regularised net;
         optim::Adam opt(net);
         Audit audit(net, {opt});
         for (int epoch = 0; epoch < 3; ++epoch) {
           net.train();
           train(opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
           if (!mistake) net.eval();
           const NoGrad guard;
           F::cross_entropy(net(other.x), other.y).item();
         }
         return audit.report();
       }},
      {2, "accuracy in training mode, and recorded for backward", "validated-in-training",
       [](bool mistake) {
         const Data data, other;
         Regularised net;
         optim::Adam opt(net);
         Audit audit(net, {opt});
         for (int epoch = 0; epoch < 3; ++epoch) {
           net.train();
           train(opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
           if (!mistake) net.eval();
           (argmax(net(other.x), 1) == other.y).to(kFloat32).mean().item();
         }
         return audit.report();
       }},
      {2, "eval() of the wrong network in distillation", "teacher-in-training", distil},
      {2, "a frozen part in eval(), undone by train() of the whole", "drifting-statistics",
       [](bool mistake) {
         const Data data;
         WithBackbone net;
         if (mistake) {
           net.backbone.requires_grad_(false);
           net.backbone.eval();
         } else {
           nn::freeze(net.backbone);
         }
         optim::SGD opt(net.head, {.lr = 0.1});
         Audit audit(net, {opt});
         for (int epoch = 0; epoch < 2; ++epoch) {
           net.train();
           train(opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
         }
         return audit.report();
       }},
      {2, "F::dropout that is on in evaluation too", "dropout-in-evaluation",
       [](bool mistake) {
         const Data data;
         Functional net(mistake);
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         for (int epoch = 0; epoch < 3; ++epoch) {
           net.train();
           train(opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
           net.eval();
           accuracy(net, data);
         }
         return audit.report();
       }},
      {2, "a pretrained teacher left in training mode", "teacher-in-training",
       [](bool mistake) {
         const Data data;
         Regularised teacher;
         if (!mistake) teacher.eval();
         Net student;
         optim::SGD opt(student, {.lr = 0.1});
         Audit audit({{"student", student}, {"teacher", teacher}}, {opt});
         train(opt, data, 3,
               [&](const Tensor& x, const Tensor&) { return F::mse_loss(student(x), teacher(x).detach()); });
         return audit.report();
       }},
  };
}

}  // namespace gradus::programs
