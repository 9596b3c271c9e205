// Pictures as training reads them: decoded, cropped, resized and normalised, on one core. bench/loader.py runs this
// beside Pillow and torchvision on the same files:
//   python bench/loader.py build/release/bench/gradus_bench
#include <benchmark/benchmark.h>
#include <gradus/core/parallel.h>
#include <gradus/data.h>
#include <gradus/io/image.h>
#include <gradus/ops.h>
#include <gradus/ops/resampling.h>
#include <gradus/random.h>

#include <cstdlib>
#include <filesystem>

namespace gradus {
namespace {

namespace fs = std::filesystem;
namespace T = data::transforms;

constexpr int kPictures = 32;

// Something that compresses as a photograph does: noise whose energy falls with the frequency, with some colour.
Tensor photograph(std::uint64_t seed, std::int64_t height, std::int64_t width) {
  Generator generator(seed);
  Tensor sum = zeros({1, 3, height, width});
  double amplitude = 45;
  for (std::int64_t cells = 2; cells <= 512; cells *= 2, amplitude *= 0.72) {
    const Tensor gray = randn({1, 1, cells, cells}, {}, &generator),
                 color = randn({1, 3, cells, cells}, {}, &generator);
    sum = sum + interpolate(gray + color * 0.3, {.size = {height, width}, .mode = "bicubic"}) * amplitude;
  }
  return (sum + 120).clamp(0, 255).to(kUInt8).squeeze(0);
}

// 500 x 375 is ImageNet's most frequent size. The folder is GRADUS_BENCH_IMAGES, or one that is made and removed.
const std::string& folder() {
  static const std::string path = [] {
    const char* given = std::getenv("GRADUS_BENCH_IMAGES");
    std::string where = given ? given : (fs::temp_directory_path() / "gradus-bench-images").string();
    fs::create_directories(where + "/class");
    for (int i = 0; i < kPictures; ++i) {
      const std::string file = where + "/class/" + std::to_string(100 + i) + ".jpg";
      if (!fs::exists(file)) io::write_jpeg(file, photograph(static_cast<std::uint64_t>(i), 375, 500), 95);
    }
    return where;
  }();
  return path;
}

const std::vector<double> kMean{0.485, 0.456, 0.406}, kStd{0.229, 0.224, 0.225};

void count(benchmark::State& state, std::int64_t images) {
  state.counters["images/s"] = benchmark::Counter(static_cast<double>(images), benchmark::Counter::kIsRate);
}

// One picture after the other; the rate is per second of a core's time.
void run(benchmark::State& state, data::ImageFolderOptions options) {
  set_num_threads(1);
  const data::ImageFolder images(folder(), std::move(options));
  for (auto _ : state) {
    for (std::int64_t i = 0; i < images.size(); ++i) benchmark::DoNotOptimize(images.get(i).data.data_ptr());
  }
  count(state, state.iterations() * images.size());
}

const T::Compose& train_transform() {
  static const T::Compose transform(
      {T::RandomResizedCrop(224), T::RandomHorizontalFlip(), T::ToDtype(kFloat32, true), T::Normalize(kMean, kStd)});
  return transform;
}

void loader_decode(benchmark::State& state) { run(state, {}); }
void loader_train(benchmark::State& state) { run(state, {.transform = train_transform()}); }
// Batches of 16 from two workers.
void loader_train_2_workers(benchmark::State& state) {
  const data::ImageFolder images(folder(), {.transform = train_transform()});
  data::DataLoader loader(images, {.batch_size = 16, .shuffle = true, .num_workers = 2, .seed = 1});
  for (auto _ : state) {
    for (auto& [x, y] : loader) benchmark::DoNotOptimize(x.data_ptr());
  }
  count(state, state.iterations() * images.size());
}
void loader_eval(benchmark::State& state) {
  run(state, {.transform = T::Compose(
                  {T::Resize(256), T::CenterCrop(224), T::ToDtype(kFloat32, true), T::Normalize(kMean, kStd)})});
}
// With libjpeg's scaled decoding: never below the size that is wanted.
void loader_eval_128_scaled(benchmark::State& state) {
  run(state, {.transform = T::Compose(
                  {T::Resize(146), T::CenterCrop(128), T::ToDtype(kFloat32, true), T::Normalize(kMean, kStd)}),
              .read = {.mode = io::ImageReadMode::RGB, .min_size = 146}});
}
void loader_eval_128(benchmark::State& state) {
  run(state, {.transform = T::Compose(
                  {T::Resize(146), T::CenterCrop(128), T::ToDtype(kFloat32, true), T::Normalize(kMean, kStd)})});
}

BENCHMARK(loader_decode)->Unit(benchmark::kMillisecond);
BENCHMARK(loader_train)->Unit(benchmark::kMillisecond);
BENCHMARK(loader_train_2_workers)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(loader_eval)->Unit(benchmark::kMillisecond);
BENCHMARK(loader_eval_128)->Unit(benchmark::kMillisecond);
BENCHMARK(loader_eval_128_scaled)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gradus
