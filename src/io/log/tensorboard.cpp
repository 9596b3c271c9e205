#include <gradus/autograd.h>
#include <gradus/io/tensorboard.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <mutex>

#include "io/file/posix.h"
#include "io/image/png.h"
#include "io/log/event_file.h"

namespace gradus::io {

namespace {

double system_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// events.out.tfevents.TIME.HOST.PID.COUNT: unique, and sorted by time.
std::string file_name(double wall_time, const std::string& suffix) {
  static std::atomic<int> count{0};
  char host[256] = "localhost";
  if (::gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  return fmt::format("events.out.tfevents.{:010}.{}.{}.{}{}", static_cast<std::int64_t>(wall_time), host, ::getpid(),
                     count.fetch_add(1), suffix);
}

std::vector<std::uint8_t> pixels_of(const Tensor& image) {
  const Tensor x = image.detach();
  if (x.dtype() == kUInt8) return x.to_vector<std::uint8_t>();
  const auto values = x.to_vector<float>();
  std::vector<std::uint8_t> pixels;
  pixels.reserve(values.size());
  // As in PyTorch, the fraction is dropped. A nan is black.
  for (const float value : values)
    pixels.push_back(value > 0 ? static_cast<std::uint8_t>(std::min(value, 1.0F) * 255.0F) : std::uint8_t{0});
  return pixels;
}

// [count, channels, height, width] as images with the channels last.
struct Images {
  std::int64_t count, channels, height, width;
  std::vector<std::uint8_t> pixels;

  Images(const char* call, const Tensor& x, int dims) {
    const Shape& s = x.sizes();
    const bool plain = dims == 3 && s.rank() == 2;
    const int first = s.rank() - 3;
    if ((s.rank() != dims && !plain) || x.numel() == 0 || (!plain && s[first] != 1 && s[first] != 3) ||
        !(x.is_floating_point() || x.dtype() == kUInt8)) {
      throw ValueError(
          fmt::format("{}: needs {}, 1 or 3 channels, of uint8 or floating-point numbers, got {} of {}", call,
                      dims == 3 ? "[channels, height, width] or [height, width]" : "[batch, channels, height, width]",
                      to_string(s), to_string(x.dtype())));
    }
    count = dims == 4 ? s[0] : 1;
    channels = plain ? 1 : s[first];
    height = s[s.rank() - 2];
    width = s[s.rank() - 1];
    const auto planes = pixels_of(x);
    pixels.resize(planes.size());
    const std::int64_t area = height * width;
    for (std::int64_t n = 0; n < count; ++n)
      for (std::int64_t c = 0; c < channels; ++c)
        for (std::int64_t i = 0; i < area; ++i)
          pixels[static_cast<std::size_t>((n * area + i) * channels + c)] =
              planes[static_cast<std::size_t>((n * channels + c) * area + i)];
  }
};

}  // namespace

struct SummaryWriter::File {
  std::string path;
  Fd fd;
  std::mutex mutex;
  std::function<double()> wall_time;

  void append(const Message& event) {
    const std::string record = event_record(event);
    const std::lock_guard lock(mutex);
    const off_t before = ::lseek(fd.get(), 0, SEEK_END);
    const int error = write_all(fd.get(), record);
    if (error == 0) return;
    if (before >= 0) [[maybe_unused]]
      const int restored = ::ftruncate(fd.get(), before);  // the write's error is the one to report
    throw_io_error("write", "write", path, error);
  }
  void add(std::int64_t step, const Message& summary) { append(summary_event(wall_time(), step, summary)); }
};

SummaryWriter::SummaryWriter(const std::string& log_dir, const SummaryWriterOptions& options)
    : file_(std::make_unique<File>()) {
  std::error_code error;
  std::filesystem::create_directories(log_dir, error);
  if (error) throw IoError("SummaryWriter: cannot make the folder '" + log_dir + "': " + error.message());
  file_->wall_time = options.wall_time ? options.wall_time : system_seconds;
  const double now = file_->wall_time();
  file_->path = log_dir + "/" + file_name(now, options.filename_suffix);
  file_->fd.reset(open_file(file_->path, O_WRONLY | O_CREAT | O_APPEND | O_EXCL));
  if (!file_->fd) throw_io_error("open", "write", file_->path, errno);
  file_->append(version_event(now));
  if (options.purge_step) file_->append(session_start_event(now, *options.purge_step));
}

SummaryWriter::~SummaryWriter() = default;

const std::string& SummaryWriter::path() const { return file_->path; }

void SummaryWriter::add_scalar(const std::string& tag, double value, std::int64_t global_step) {
  file_->add(global_step, scalar_summary(tag, static_cast<float>(value)));
}

void SummaryWriter::add_image(const std::string& tag, const Tensor& image, std::int64_t global_step) {
  const Images x("add_image", image, 3);
  const std::string png = encode_png({x.width, x.height, x.channels, x.pixels.data()});
  file_->add(global_step, image_summary(tag, x.height, x.width, x.channels, png));
}

void SummaryWriter::add_images(const std::string& tag, const Tensor& images, std::int64_t global_step,
                               std::int64_t columns) {
  if (columns < 1) throw ValueError(fmt::format("add_images: columns must be positive, got {}", columns));
  const Images x("add_images", images, 4);
  // A row of RGB pixels is one of three times as many gray ones.
  constexpr std::int64_t kFrame = 2;
  const std::int64_t across = std::min(columns, x.count), down = (x.count + across - 1) / across;
  Image grid{across * (x.width + kFrame) + kFrame, down * (x.height + kFrame) + kFrame, x.channels, {}};
  grid.data.assign(static_cast<std::size_t>(grid.width * grid.height * grid.channels), 255);
  for (std::int64_t n = 0; n < x.count; ++n) {
    const std::int64_t top = kFrame + n / across * (x.height + kFrame), left = kFrame + n % across * (x.width + kFrame);
    for (std::int64_t row = 0; row < x.height; ++row)
      std::copy_n(x.pixels.begin() + (n * x.height + row) * x.width * x.channels, x.width * x.channels,
                  grid.data.begin() + ((top + row) * grid.width + left) * x.channels);
  }
  file_->add(global_step, image_summary(tag, grid.height, grid.width, grid.channels, encode_png(grid.view())));
}

void SummaryWriter::add_png(const std::string& tag, const std::string& png, std::int64_t global_step) {
  // Behind the signature stand the length and name of the first block, then width, height, depth and colour type.
  const auto number = [&](std::size_t at) {
    std::int64_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(png[at + i]);
    return value;
  };
  if (png.size() < 33 || png.compare(0, 8, "\x89PNG\r\n\x1a\n", 8) != 0 || png.compare(12, 4, "IHDR") != 0)
    throw ValueError("add_png: needs an encoded PNG, got " + std::to_string(png.size()) + " other bytes");
  const int type = png[25];
  const std::int64_t channels = type == 0 ? 1 : type == 4 ? 2 : type == 6 ? 4 : 3;
  file_->add(global_step, image_summary(tag, number(20), number(16), channels, png));
}

void SummaryWriter::add_histogram(const std::string& tag, const Tensor& values, std::int64_t global_step) {
  auto all = values.detach().to_vector<double>();
  std::erase_if(all, [](double value) { return !std::isfinite(value); });
  if (all.empty())
    throw ValueError("add_histogram: needs at least one finite element, got " + to_string(values.sizes()));
  file_->add(global_step, histogram_summary(tag, all));
}

void SummaryWriter::add_text(const std::string& tag, const std::string& text, std::int64_t global_step) {
  file_->add(global_step, text_summary(tag, text));
}

}  // namespace gradus::io
