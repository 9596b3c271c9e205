#include "cli/text/finetune_lm.h"

#include <fmt/format.h>
#include <gradus/autocast.h>
#include <gradus/autograd.h>
#include <gradus/data/data_loader.h>
#include <gradus/models/pretrained.h>
#include <gradus/nn/adapters.h>
#include <gradus/nn/freeze.h>
#include <gradus/optim/adam.h>
#include <gradus/optim/lr_scheduler/warmup.h>
#include <gradus/random.h>
#include <gradus/training/adapter_files.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/run/interrupt.h"
#include "cli/run/output.h"
#include "cli/run/progress.h"
#include "cli/run/run_watch.h"
#include "cli/text/language_model.h"
#include "distributed/sums/rows.h"

namespace gradus::cli {

namespace {

struct Blocks {
  data::TensorDataset train, test;
};

// The tokens in blocks of one length; what is left over is dropped. The last ones are for the test.
Blocks cut(const std::vector<std::int64_t>& ids, const FinetuneLmOptions& o) {
  const std::int64_t count = static_cast<std::int64_t>(ids.size()) / o.length;
  const auto test = static_cast<std::int64_t>(std::ceil(o.held_out * static_cast<double>(count)));
  if (count < 2 || test < 1 || test >= count)
    throw ValueError(
        fmt::format("--data: {}: {} tokens are {} samples of --length {}, of which {} are held out; need one "
                    "at least to train on, and one to test",
                    o.data, ids.size(), count, o.length, test));
  const Tensor all = tensor(std::span(ids.data(), static_cast<std::size_t>(count * o.length)), {count, o.length});
  return {data::TensorDataset(narrow(all, 0, 0, count - test).clone()),
          data::TensorDataset(narrow(all, 0, count - test, test).clone())};
}

void freeze(models::CausalLM& net, const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    if (pattern == "body") {
      nn::freeze(net);
      nn::unfreeze(net.get_submodule("lm_head"));
    } else {
      nn::freeze(net, pattern);
    }
  }
}

template <class T>
T number(const std::string& argument, std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw ValueError(fmt::format("--lora: need a number, got '{}'", argument));
  return value;
}

// "rank=8", "alpha=16", "dropout=0.1", "rslora=1", "dora=1", "layers=PATTERN". By default on the attention's
// projections.
void add_lora(models::CausalLM& net, const std::vector<std::string>& arguments) {
  nn::LoraOptions lora;
  std::string layers = "*attn.*";
  bool alpha = false;
  for (const std::string& argument : arguments) {
    const std::size_t equals = argument.find('=');
    const std::string key = argument.substr(0, equals);
    const std::string_view value = equals == argument.npos ? "" : std::string_view(argument).substr(equals + 1);
    if (key == "rank") {
      lora.rank = number<std::int64_t>(argument, value);
    } else if (key == "alpha") {
      lora.alpha = number<double>(argument, value);
      alpha = true;
    } else if (key == "dropout") {
      lora.dropout = number<double>(argument, value);
    } else if (key == "rslora" || key == "dora") {
      (key == "dora" ? lora.dora : lora.rslora) = number<int>(argument, value) != 0;
    } else if (key == "layers") {
      layers = value;
    } else {
      throw ValueError(fmt::format(
          "--lora: need rank, alpha, dropout, rslora, dora or layers, each as KEY=VALUE, got '{}'", argument));
    }
  }
  if (!alpha) lora.alpha = static_cast<double>(lora.rank);
  if (nn::lora(net, layers, lora).empty())
    throw ValueError(fmt::format("--lora: layers={} matches no layer that can have an adapter", layers));
}

// The mean loss of all tokens but each sample's first.
double test(models::CausalLM& net, data::DataLoader& loader, bool bf16) {
  NoGrad guard;
  net.eval();
  distributed::Rows rows;  // by batch: its first sample, its loss, its samples
  for (const data::Batch& batch : loader) {
    const Autocast scope(kBFloat16, bf16);
    const Tensor ids = batch.data.to(net.parameters()[0].device());
    rows.push_back({static_cast<double>(batch.indices[0]), models::causal_lm_loss(net(ids).to(kFloat32), ids).item(),
                    static_cast<double>(batch.size())});
  }
  net.train();
  double sum = 0, samples = 0;
  for (const auto& row : distributed::gather_rows("the test", rows)) {
    sum += row[1] * row[2];
    samples += row[2];
  }
  return sum / samples;
}

// The adapter as PEFT has it; the model then has it in its weights.
void save(models::CausalLM& net, const FinetuneLmOptions& o, const Run& run) {
  if (!o.lora.empty()) {
    if (run.writes()) training::save_adapter(net, run.path("adapter"), {.base_model = o.model});
    nn::merge_adapter(net);
    nn::unload_adapters(net);
  }
  if (run.writes()) {
    models::save_pretrained(net, run.path("model"));
    copy_tokenizer(o.model, run.path("model"));
  }
}

}  // namespace

int finetune_lm(const FinetuneLmOptions& o) {
  const InterruptScope interrupts;
  // What is wrong with the model or the data must be known before the run's folder is touched. The run seeds anew.
  manual_seed(o.run.seed);
  LanguageModel model = LanguageModel::load(o.model);
  models::CausalLM& net = *model.net;
  if (o.length > net.max_positions())
    throw ValueError(fmt::format("--length: the model has {} positions, got {}", net.max_positions(), o.length));
  const Blocks blocks = cut(read_tokens(model, o.data), o);
  if (!o.lora.empty()) add_lora(net, o.lora);
  freeze(net, o.freeze);
  const optim::Params trained = optim::filter(net, [](const Tensor& p) { return p.requires_grad(); });
  if (trained.empty()) throw ValueError("--freeze: everything is frozen; there is nothing to train");
  Run run(o.run);
  net.to(run.device());
  run.use_data("data", blocks.train);
  run.use_data("test_data", blocks.test);
  optim::AdamW optimizer(trained, {.lr = o.lr, .weight_decay = o.weight_decay});
  if (o.clip > 0) optimizer.set_clipping({.max_norm = o.clip});
  data::DataLoader train(blocks.train,
                         {.batch_size = o.batch, .shuffle = true, .seed = o.run.seed, .share = run.train_share()});
  data::DataLoader tests(blocks.test, {.batch_size = o.batch, .seed = 0, .share = run.test_share()});
  const std::int64_t total = o.epochs * train.size();
  optim::lr_scheduler::WarmupCosineLR scheduler(
      optimizer,
      {.warmup_steps = std::min<std::int64_t>(total - 1, std::llround(o.warmup * static_cast<double>(total))),
       .total_steps = total,
       .start_factor = 0.1});
  std::int64_t epoch = 0, loss_steps = 0;
  double loss_sum = 0, test_loss = 0;
  run.state().add("net", net);
  run.state().add("optimizer", optimizer);
  run.state().add("scheduler", scheduler);
  run.state().add("loader", train);
  run.state().add("epoch", epoch);
  run.state().add("loss_sum", loss_sum);
  run.state().add("loss_steps", loss_steps);
  run.watch({.networks = net, .optimizers = {{"optimizer", optimizer}}});
  std::int64_t counts[2] = {0, 0};
  for (const Tensor& p : net.parameters()) counts[p.requires_grad() ? 1 : 0] += p.numel();
  say("{}: {} samples of {} tokens to train on, {} to test\n{}: {} parameters are trained, {} are not\n", o.data,
      blocks.train.size(), o.length, blocks.test.size(), o.model, counts[1], counts[0]);
  run.begin(net);
  net.train();
  Progress progress("finetune-lm", total);
  progress.start_at(run.step());
  std::string shown;
  while (epoch < o.epochs && !run.interrupted()) {
    for (const data::Batch& batch : train) {
      const auto result = run.update("loss", optimizer, run.chunks(batch), [&](const nn::Chunk& chunk) {
        const Tensor ids = distributed::chunk_of(batch, chunk).data.to(run.device());
        const Autocast scope(kBFloat16, o.bf16);
        return models::causal_lm_loss(net(ids).to(kFloat32), ids);
      });
      const double value = result->loss;
      if (result->accepted) {
        loss_sum += value;
        ++loss_steps;
      }
      scheduler.step();
      progress.update(run.step() + 1, value, shown);
      run.advance();
      if (run.interrupted()) break;
    }
    if (run.interrupted()) break;
    test_loss = test(net, tests, o.bf16);
    ++epoch;
    shown = fmt::format("perplexity {:.3f}", std::exp(test_loss));
    run.log({{"epoch", epoch},
             {"step", run.step()},
             {"loss", loss_sum / static_cast<double>(loss_steps)},
             {"test_loss", test_loss},
             {"perplexity", std::exp(test_loss)}},
            run.step());
    loss_sum = 0;
    loss_steps = 0;
    run.rate(test_loss);
  }
  progress.finish();
  run.end();
  test_loss = test(net, tests, o.bf16);
  run.check_finite(o.model, net);
  if (!std::isfinite(test_loss)) run.say_not_finite(fmt::format("the loss of the test is {}", test_loss));
  net.eval();
  save(net, o, run);
  run.write_summary({{"command", "finetune-lm"},
                     {"model", o.model},
                     {"seed", o.run.seed},
                     {"data", o.data},
                     {"length", o.length},
                     {"frozen", o.freeze},
                     {"lora", o.lora},
                     {"bf16", o.bf16},
                     {"epochs", o.epochs},
                     {"steps", run.step()},
                     {"interrupted", run.interrupted()},
                     {"training_seconds", run.seconds()},
                     {"test_loss", test_loss},
                     {"perplexity", std::exp(test_loss)}});
  say("perplexity {:.4f} on {} tokens\nmodel: {}\nsummary: {}\n", std::exp(test_loss), blocks.test.size() * o.length,
      run.path("model"), run.path("summary.json"));
  return run.status();
}

}  // namespace gradus::cli
