// From a folder of pictures to training, for docs/data.md. It draws its own pictures into FOLDER first.
// Usage: data FOLDER
#include <gradus/gradus.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

using namespace gradus;
namespace T = data::transforms;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("not so: %s\n", what);
  std::exit(1);
}

// FOLDER/{dark,light}/0.png ... 19.png, and one file that is damaged.
std::string draw_pictures(const std::string& folder) {
  Generator generator(1);
  for (const auto& [name, level] : {std::pair("dark", 60), std::pair("light", 180)}) {
    std::filesystem::create_directories(folder + "/" + name);
    for (int i = 0; i < 20; ++i) {
      const Tensor noise = randint(-40, 40, {3, 24, 32}, {}, &generator);
      io::write_png(folder + "/" + name + "/" + std::to_string(i) + ".png", (noise + level).to(kUInt8));
    }
  }
  std::FILE* damaged = std::fopen((folder + "/light/99.png").c_str(), "wb");
  std::fputs("this was a picture once", damaged);
  std::fclose(damaged);
  return folder;
}

// Rooms, district and price; the price is ten times the rooms.
std::string write_table(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  std::fputs("rooms;district;price\n", file);
  for (int i = 0; i < 40; ++i) std::fprintf(file, "%d;%s;%d\n", 1 + i % 7, i % 2 ? "north" : "south", 10 + i % 7 * 10);
  std::fclose(file);
  return path;
}

struct Net : nn::Module {
  nn::Sequential backbone = add("backbone", nn::Sequential(nn::Flatten(), nn::Linear(3 * 16 * 16, 32), nn::ReLU()));
  nn::Linear head = add("head", nn::Linear(32, 2));
  Tensor forward(const Tensor& x) override { return head(backbone(x)); }
};

int main(int argc, char** argv) {
  const std::string folder = draw_pictures((argc > 1 ? std::string(argv[1]) : std::string(".")) + "/data-example");
  const std::string houses = write_table(folder + ".csv");
  manual_seed(1);

  // The parts of one dataset, each with its own transforms.
  const data::ImageFolder pictures(folder);
  const auto parts = data::random_split(pictures, std::vector<double>{0.75, 0.25});
  const std::vector<data::AnyTransform> to_input{T::ToDtype(kFloat32, true), T::Normalize({0.5}, {0.25})};
  const data::Transformed train(
      parts[0], {.transform = T::Compose({T::RandomResizedCrop(16), T::RandomHorizontalFlip(), T::Compose(to_input)})});
  const data::Transformed test(parts[1],
                               {.transform = T::Compose({T::Resize(18), T::CenterCrop(16), T::Compose(to_input)})});

  data::DataLoader loader(train, {.batch_size = 8, .shuffle = true, .num_workers = 2, .seed = 1, .skip_damaged = true});
  Net net;
  optim::Adam optimizer(net.parameters(), {.lr = 1e-2});
  io::Value state;
  for (int epoch = 0; epoch < 3; ++epoch) {
    for (auto& [x, y] : loader) {
      optimizer.minimize(nn::functional::cross_entropy(net(x), y));
      if (epoch == 1 && loader.position() == 16) state = loader.state_dict();  // as a checkpoint would
    }
  }
  for (const data::SkippedSample& sample : loader.skipped()) {
    std::printf("left out %s\n", std::filesystem::path(sample.name).filename().c_str());
  }

  // Another loader goes on where that one was: in epoch 1, after its second batch.
  data::DataLoader resumed(train, {.batch_size = 8, .shuffle = true, .skip_damaged = true});
  resumed.load_state_dict(state);
  int left = 0;
  for ([[maybe_unused]] auto& batch : resumed) ++left;
  expect(left == 2 && resumed.epoch() == 2, "two of four batches are left of epoch 1");

  // A collate function of your own mixes two pictures into one. Targets become probabilities.
  const auto mixed = [mix = T::CutMix({.num_classes = 2})](std::vector<data::Sample> samples) {
    return mix(data::default_collate(std::move(samples)));
  };
  data::DataLoader mixing(train, {.batch_size = 8, .shuffle = true, .collate = mixed, .seed = 2, .skip_damaged = true});
  for (auto& [x, y] : mixing) optimizer.minimize(nn::functional::cross_entropy(net(x), y));

  // A frozen backbone runs once over the pictures; its head then trains from the cache.
  nn::freeze(net.backbone);
  const data::Subset whole(pictures, {0, 1, 2, 3, 20, 21, 22, 23});
  const data::Transformed fixed(whole,
                                {.transform = T::Compose({T::Resize(18), T::CenterCrop(16), T::Compose(to_input)})});
  const data::FeatureCache features(fixed, net.backbone, {.folder = folder + "-features"});
  optim::SGD head_only(net.head.parameters(), {.lr = 0.1});
  data::DataLoader from_cache(features, {.batch_size = 4, .shuffle = true});
  for (int epoch = 0; epoch < 5; ++epoch)
    for (auto& [x, y] : from_cache) head_only.minimize(nn::functional::cross_entropy(net.head(x), y));

  net.eval();
  NoGrad guard;
  std::int64_t right = 0, count = 0;
  data::DataLoader test_loader(test, {.batch_size = 8, .skip_damaged = true});
  for (auto& [x, y] : test_loader) {
    right += (net(x).argmax(1) == y).sum().item<std::int64_t>();
    count += y.size(0);
  }
  // A table: names become columns, and the training rows determine how all rows are scaled.
  const data::CsvDataset table(houses, {.target = "price", .one_hot = {"district"}});
  const auto pieces = data::random_split(table, std::vector<double>{0.75, 0.25});
  const T::Normalize scale = data::standardize(pieces[0]);
  const data::Transformed sold(pieces[0], {.transform = scale}), unsold(pieces[1], {.transform = scale});
  const data::CsvDataset later(houses, {.encoding = table.encoding()});  // the same columns, whatever it contains
  expect(sold.size() == 30 && unsold.size() == 10 && later.columns() == table.columns(),
         "tables are split and encoded");
  expect(std::abs(data::standardize(sold).mean()[0]) < 1e-6, "columns are standardized");

  std::printf("%lld of %lld right\n", static_cast<long long>(right), static_cast<long long>(count));
  expect(right > count * 3 / 4, "dark and light are told apart");
  return 0;
}
