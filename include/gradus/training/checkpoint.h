// One file for everything that training changes: networks, optimizers, schedules, averages, random generators, the
// position in the data, counters. A run that stops and goes on from it has the bits of one that never stopped.
//
//   training::Checkpoint state;
//   state.add("net", net);
//   state.add("optimizer", optimizer);
//   state.add("scheduler", scheduler);
//   state.add("loader", loader);
//   state.add("step", step);
//   state.save("run.pth");
//   ...
//   state.load("run.pth");   // in another process, once the same objects are made
//
// PyTorch has no such thing; its users write a dict. The file is one of PyTorch's, which torch.load(weights_only=True)
// reads; docs/checkpoints.md describes what it holds.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <gradus/io/value.h>
#include <gradus/nn/module.h>
#include <gradus/optim/control/set.h>
#include <gradus/optim/lr_scheduler/plateau.h>
#include <gradus/optim/lr_scheduler/scheduler.h>
#include <gradus/optim/optimizer.h>
#include <gradus/random.h>

namespace gradus::optim {
class ShardedOptimizer;
}

namespace gradus::training {

// What has its state as a value: a data loader, a sampler, anything of one's own. Networks and optimizers, whose state
// can become one, have calls of their own below.
template <class T>
concept Stateful = !std::derived_from<T, nn::Module> && !std::derived_from<T, optim::Optimizer> &&
                   requires(T & object, const T& constant, const io::Value& value) {
  { constant.state_dict() } -> std::convertible_to<io::Value>;
  object.load_state_dict(value);
};

struct LoadOptions {
  // Parts that are only in the file or only here are an error; else they are left alone, and the report names them.
  bool strict = true;
  // Compare the checksum of every tensor, which reads the whole file.
  bool verify = true;
};

using LoadReport = nn::LoadReport;  // of parts, by name

// What a file says about itself.
struct CheckpointInfo {
  std::int64_t format_version = 0;
  std::string gradus_version;        // of the library that wrote it
  std::optional<std::int64_t> step;  // where a CheckpointManager wrote it
  std::optional<double> metric;
  io::Value options;               // of the run, as it set them
  std::vector<std::string> parts;  // their names
};

class Checkpoint {
 public:
  static constexpr std::int64_t kFormatVersion = 1;

  // The default generator is a part from the start, named "default_generator".
  Checkpoint();

  // Parts are kept by reference and must live as long. Networks come with their buffers and with what is frozen; a
  // parameter that does not require a gradient stays so. Averages (swa_utils::AveragedModel) are networks; of a
  // Lookahead add the outer optimizer alone. ValueError for a name that is there already.
  void add(const std::string& name, nn::Module& network);
  void add(const std::string& name, optim::Optimizer& optimizer);
  void add(const std::string& name, optim::Set& optimizers);
  void add(const std::string& name, optim::lr_scheduler::LRScheduler& scheduler);
  void add(const std::string& name, optim::lr_scheduler::ReduceLROnPlateau& scheduler);
  void add(const std::string& name, Generator& generator);
  void add(const std::string& name, Tensor& tensor);  // the handle gets a new tensor, of whatever sizes were saved
  void add(const std::string& name, bool& flag);
  void add(const std::string& name, std::int64_t& number);
  void add(const std::string& name, double& number);
  void add(const std::string& name, std::string& text);
  void add(const std::string& name, io::Value& value);
  template <Stateful T>
  void add(const std::string& name, T& object) {
    add(
        name, [&object]() -> io::Value { return object.state_dict(); },
        [&object](const io::Value& value) { object.load_state_dict(value); });
  }
  // Anything else. `load` is called with what `save` returned. It may refuse by throwing; if another part refuses, it
  // is called again with what `save` returned before.
  void add(const std::string& name, std::function<io::Value()> save, std::function<void(const io::Value&)> load);

  // The run's options, or whatever else belongs to it: saved as they are, not loaded. See read_info.
  io::Value options = io::Value::dict();

  // Of several processes, before one of them saves: all call it where parts are shared out (ZeroRedundancyOptimizer),
  // and rank 0 then has them whole. A CheckpointManager does it by itself. release() frees what was gathered.
  void consolidate();
  void release();
  bool is_shared_out() const;

  // Written whole or not at all; IoError.
  void save(const std::string& path) const;
  // Checks everything first: the file and its checksums (IoError, which names the tensor); that it is a checkpoint, of
  // no later format; names, sizes and types of all parts (ValueError). If it throws, nothing has changed.
  LoadReport load(const std::string& path, const LoadOptions& options = {});

  // What save writes and load reads. Tensors are copies: training may go on.
  io::Value state_dict() const;
  LoadReport load_state_dict(const io::Value& document, const LoadOptions& options = {});

 private:
  friend class CheckpointManager;
  struct Part {
    std::string name, type;
    std::function<io::Value()> save;
    std::function<void(const io::Value&)> check;  // throws where load would; null: only load knows
    std::function<void(const io::Value&)> load;
  };
  void add_part(Part part);
  template <class T>
  void add_plain(const std::string& name, T& object, T (*read)(const io::Value& state));
  io::Value document(bool copy) const;

  std::vector<Part> parts_;
  std::vector<optim::ShardedOptimizer*> shared_out_;
};

// Reads no tensors. ValueError for a file that is not a checkpoint of Gradus, or has a later format.
CheckpointInfo read_info(const std::string& path);

}  // namespace gradus::training
