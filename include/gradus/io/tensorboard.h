// Event files for TensorBoard: scalars, images, histograms and texts of a run, as torch.utils.tensorboard writes them.
//
//   io::SummaryWriter writer("runs/lenet");
//   writer.add_scalar("loss", loss.item(), step);
//   writer.add_image("samples", images[0], step);
//   ... $ tensorboard --logdir runs
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <gradus/tensor.h>

namespace gradus::io {

struct SummaryWriterOptions {
  // A run that goes on: TensorBoard drops what an earlier file of the folder has from this step on.
  std::optional<std::int64_t> purge_step = {};
  std::string filename_suffix = {};
  std::function<double()> wall_time = {};  // seconds since 1970; empty: the system's clock
};

// Appends to one file of its own in the folder; each call is one write to it, so that TensorBoard sees it at once and a
// crash loses nothing. From any thread. All throw IoError where the file cannot be written, and then leave no part.
class SummaryWriter {
 public:
  // Makes the folder where it is missing.
  explicit SummaryWriter(const std::string& log_dir, const SummaryWriterOptions& options = {});
  ~SummaryWriter();
  SummaryWriter(const SummaryWriter&) = delete;
  SummaryWriter& operator=(const SummaryWriter&) = delete;

  // In float32, as in PyTorch. Slashes in a tag make groups: "loss/train".
  void add_scalar(const std::string& tag, double value, std::int64_t global_step = 0);
  // [channels, height, width] or [height, width], 1 or 3 channels: uint8, or floating-point numbers in [0, 1], clamped.
  void add_image(const std::string& tag, const Tensor& image, std::int64_t global_step = 0);
  // [batch, channels, height, width], laid out in rows of `columns` with a white frame of 2 pixels.
  void add_images(const std::string& tag, const Tensor& images, std::int64_t global_step = 0, std::int64_t columns = 8);
  // An encoded PNG as it is.
  void add_png(const std::string& tag, const std::string& png, std::int64_t global_step = 0);
  // The distribution of all elements over TensorBoard's buckets, which grow by a factor of 1.1 from 1e-12 to 1e20.
  // Elements that are not finite are left out; ValueError where none is finite.
  void add_histogram(const std::string& tag, const Tensor& values, std::int64_t global_step = 0);
  // Shown as Markdown.
  void add_text(const std::string& tag, const std::string& text, std::int64_t global_step = 0);

  const std::string& path() const;  // of the file

 private:
  struct File;
  std::unique_ptr<File> file_;
};

}  // namespace gradus::io
