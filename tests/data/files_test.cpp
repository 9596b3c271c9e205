// Datasets in files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zlib.h>

#include <filesystem>
#include <map>

#include "gradus/core/error.h"
#include "gradus/data.h"
#include "gradus/io/numpy.h"
#include "gradus/ops.h"
#include "support/message.h"
#include "support/temp_folder.h"

namespace gradus::data {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using test::put_file;
using test::TempFolder;
using testing::ElementsAre;
using testing::HasSubstr;

std::string idx(std::initializer_list<int> shape, std::size_t values, char first) {
  std::string bytes{'\0', '\0', 8, static_cast<char>(shape.size())};
  for (const int n : shape) bytes += {0, 0, static_cast<char>(n >> 8), static_cast<char>(n)};
  for (std::size_t i = 0; i < values; ++i) bytes += static_cast<char>(first + static_cast<char>(i));
  return bytes;
}

void put_gzip(const std::string& path, const std::string& bytes) {
  const gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}

TEST(Mnist, IsReadWhereTorchvisionKeepsItAndFromItsFolder) {
  const TempFolder folder;
  fs::create_directories(folder / "FashionMNIST/raw");
  for (const std::string& where : {folder / "FashionMNIST/raw", folder.path()}) {
    put_gzip(where + "/train-images-idx3-ubyte.gz", idx({3, 2, 2}, 12, 0));
    put_file(where + "/train-labels-idx1-ubyte", idx({3}, 3, 5));
  }
  put_file(folder / "t10k-images-idx3-ubyte", idx({1, 2, 2}, 4, 90));
  put_file(folder / "t10k-labels-idx1-ubyte", idx({1}, 1, 9));
  const FashionMNIST train(folder.path());
  EXPECT_EQ(train.size(), 3);
  EXPECT_EQ(to_string(train.get(1).data.sizes()), "[1, 2, 2]");
  EXPECT_THAT(train.get(1).data.to_vector<int>(), ElementsAre(4, 5, 6, 7));
  EXPECT_EQ(train.get(1).target.item<int>(), 6);
  EXPECT_EQ(train.classes()[9], "Ankle boot");
  EXPECT_THAT(train.name(1), HasSubstr("FashionMNIST/raw/train[1]"));
  const MNIST test(folder.path(), {.train = false, .transform = transforms::ToTensor()});
  EXPECT_NEAR(test.get(0).data.to_vector<double>()[0], 90.0 / 255, 1e-7);
  DataLoader loader(train, {.batch_size = 3});
  EXPECT_EQ(to_string((*loader.begin()).data.sizes()), "[3, 1, 2, 2]");
}

TEST(Mnist, NamesWhatIsMissingOrDoesNotMatch) {
  const TempFolder folder;
  EXPECT_THAT(message_of<IoError>([&] { MNIST(folder.path()); }), HasSubstr("train-images-idx3-ubyte"));
  put_file(folder / "train-images-idx3-ubyte", idx({3, 2, 2}, 12, 0));
  put_file(folder / "train-labels-idx1-ubyte", idx({2}, 2, 0));
  EXPECT_THAT(message_of<IoError>([&] { MNIST(folder.path()); }), HasSubstr("got [3, 2, 2] and [2]"));
  // A damaged file where it belongs is an error, and not a reason to look elsewhere.
  fs::create_directories(folder / "MNIST/raw");
  put_file(folder / "MNIST/raw/train-images-idx3-ubyte", "damaged");
  EXPECT_THAT(message_of<IoError>([&] { MNIST(folder.path()); }), HasSubstr("MNIST/raw/train-images"));
}

TEST(Mnist, NamesTheFirstLabelBeyondItsClasses) {
  const TempFolder folder;
  put_file(folder / "train-images-idx3-ubyte", idx({3, 2, 2}, 12, 0));
  put_file(folder / "train-labels-idx1-ubyte", idx({3}, 3, 8));
  const std::string said = "train-labels-idx1-ubyte, sample 2: there are 10 classes, so a label is from 0 to 9, got 10";
  EXPECT_THAT(message_of<IoError>([&] { MNIST(folder.path()); }), HasSubstr(folder / said));
  EXPECT_THAT(message_of<IoError>([&] { FashionMNIST(folder.path()); }), HasSubstr(folder / said));
}

TEST(ImageArray, RefusesTargetsThatAreNoneOfItsClasses) {
  const auto make = [](std::int64_t target, std::vector<std::string> classes) {
    return ImageArray(zeros({2, 1, 2, 2}, {.dtype = kUInt8}), tensor(std::vector<std::int64_t>{1, target}),
                      std::move(classes), {}, "pictures");
  };
  EXPECT_EQ(make(0, {"a", "b"}).size(), 2);
  for (const std::int64_t target : {-1, 2, 1 << 30}) {
    EXPECT_EQ(message_of<ValueError>([&] {
                make(target, {"a", "b"});
              }),
              "ImageArray: pictures, sample 1: there are 2 classes, so a label is from 0 to 1, got " +
                  std::to_string(target));
    EXPECT_EQ(make(target, {}).size(), 2);  // nothing is known of the classes
  }
}

std::string cifar_record(std::initializer_list<int> labels, int first) {
  std::string record;
  for (const int label : labels) record += static_cast<char>(label);
  for (int i = 0; i < 3072; ++i) record += static_cast<char>(first + i % 100);
  return record;
}

TEST(Cifar, ReadsAllBatchesInOrder) {
  const TempFolder folder;
  fs::create_directories(folder / "cifar-10-batches-bin");
  for (int i = 1; i <= 5; ++i) {
    put_file(folder / ("cifar-10-batches-bin/data_batch_" + std::to_string(i) + ".bin"),
             cifar_record({i}, i) + cifar_record({0}, 100));
  }
  put_file(folder / "cifar-10-batches-bin/test_batch.bin", cifar_record({7}, 3));
  put_file(folder / "cifar-10-batches-bin/batches.meta.txt", "airplane\nautomobile\nb\nc\nd\ne\nf\ng\nh\ni\n\n");
  const CIFAR10 train(folder.path());
  EXPECT_EQ(train.size(), 10);
  EXPECT_EQ(to_string(train.get(0).data.sizes()), "[3, 32, 32]");
  EXPECT_EQ(train.get(4).target.item<int>(), 3);
  EXPECT_EQ(train.get(4).data.to_vector<int>()[1], 4);
  EXPECT_EQ((train.get(4).data[{2, 0, 0}].item<int>()), 3 + 2048 % 100);
  EXPECT_THAT(train.classes(), ElementsAre("airplane", "automobile", "b", "c", "d", "e", "f", "g", "h", "i"));
  EXPECT_EQ(CIFAR10(folder / "cifar-10-batches-bin", {.train = false}).get(0).target.item<int>(), 7);
}

TEST(Cifar, HasAsManyNamesAsClasses) {
  const TempFolder folder;
  put_file(folder / "test_batch.bin", cifar_record({7}, 3));
  EXPECT_THAT(CIFAR10(folder.path(), {.train = false}).classes(),
              ElementsAre("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"));
  put_file(folder / "batches.meta.txt", "airplane\nautomobile\n");
  EXPECT_THAT(message_of<IoError>([&] { CIFAR10(folder.path(), {.train = false}); }),
              HasSubstr("need the names of 10 classes in " + folder / "batches.meta.txt, got 2"));
  put_file(folder / "test.bin", cifar_record({19, 99}, 3));
  EXPECT_EQ(CIFAR100(folder.path(), {.train = false}).classes().size(), 100U);
  EXPECT_EQ(CIFAR100(folder.path(), {.train = false, .coarse = true}).classes().size(), 20U);
}

TEST(Cifar, HasTwoKindsOfLabelsIn100) {
  const TempFolder folder;
  put_file(folder / "train.bin", cifar_record({19, 99}, 3) + cifar_record({2, 50}, 3));
  EXPECT_EQ(CIFAR100(folder.path()).get(0).target.item<int>(), 99);
  EXPECT_EQ(CIFAR100(folder.path(), {.coarse = true}).get(1).target.item<int>(), 2);
}

TEST(Cifar, NamesTheFileAndTheRecordThatIsDamaged) {
  const TempFolder folder;
  const auto error = [&](const std::string& bytes) {
    put_file(folder / "test_batch.bin", bytes);
    return message_of<IoError>([&] { CIFAR10(folder.path(), {.train = false}); });
  };
  EXPECT_THAT(error(cifar_record({1}, 3) + "x"), HasSubstr("test_batch.bin has 3074 bytes"));
  EXPECT_THAT(error(cifar_record({1}, 3) + cifar_record({10}, 3)),
              HasSubstr("record 1: need a label from 0 to 9, got 10"));
  EXPECT_THAT(message_of<IoError>([&] { CIFAR10(folder.path()); }), HasSubstr("data_batch_1.bin"));
}

void put_image(const std::string& path, int value) {
  const Tensor image = full({3, 4, 5}, value, {.dtype = kUInt8});
  fs::create_directories(fs::path(path).parent_path());
  path.ends_with(".png") ? io::write_png(path, image) : io::write_jpeg(path, image);
}

TEST(ImageFolder, NumbersClassesAndFilesInSortedOrder) {
  const TempFolder folder;
  put_image(folder / "dog/b.jpg", 20);
  put_image(folder / "dog/a.PNG.jpeg", 10);
  put_image(folder / "dog/deeper/0.png", 30);
  put_image(folder / "cat/x.JPG", 40);
  put_file(folder / "cat/notes.txt", "not a picture");
  put_file(folder / "README", "not a class");
  const ImageFolder images(folder.path());
  EXPECT_THAT(images.classes(), ElementsAre("cat", "dog"));
  EXPECT_EQ(images.class_to_idx().at("dog"), 1);
  ASSERT_EQ(images.size(), 4);
  const std::pair<std::string, int> expected[] = {
      {"cat/x.JPG", 40}, {"dog/a.PNG.jpeg", 10}, {"dog/b.jpg", 20}, {"dog/deeper/0.png", 30}};
  for (std::int64_t i = 0; i < 4; ++i) {
    const auto& [name, value] = expected[i];
    EXPECT_EQ(images.name(i), folder / name);
    EXPECT_EQ(images.get(i).target.item<int>(), i == 0 ? 0 : 1);
    EXPECT_EQ((images.get(i).data[{0, 0, 0}].item<int>()), value);
    EXPECT_EQ(to_string(images.get(i).data.sizes()), "[3, 4, 5]");
  }
}

TEST(ImageFolder, NamesWhatIsMissing) {
  const TempFolder folder;
  EXPECT_THAT(message_of<IoError>([&] { ImageFolder{folder.path()}; }), HasSubstr("has no sub-folder"));
  EXPECT_THAT(message_of<IoError>([&] { ImageFolder{folder / "none"}; }), HasSubstr("none"));
  fs::create_directories(folder / "cat");
  EXPECT_THAT(message_of<IoError>([&] { ImageFolder{folder.path()}; }), HasSubstr("no picture in " + (folder / "cat")));
  EXPECT_EQ(ImageFolder(folder.path(), {.allow_empty = true}).classes().size(), 1u);
}

// What real folders have beside pictures: hidden entries, what systems keep, links, pipes, other formats.
TEST(ImageFolder, TakesPicturesOnly) {
  const TempFolder folder;
  put_image(folder / "cat/a.jpg", 10);
  put_image(folder / "cat/B.PNG", 20);
  put_image(folder / "dog/c.jpeg", 30);
  for (const char* name : {".ipynb_checkpoints", "__MACOSX", "@eaDir", "cat/@eaDir", "dog/.hidden"}) {
    put_image(folder / name + "/x.jpg", 40);
  }
  for (const char* name : {"cat/._a.jpg", "cat/Thumbs.db", "dog/desktop.ini", "dog/.DS_Store"})
    put_file(folder / name, "not a picture");
  put_file(folder / "cat/x.webp", "another format");
  put_file(folder / "dog/y.WebP", "another format");
  put_file(folder / "dog/notes", "a text");
  fs::create_symlink("nowhere.jpg", folder / "cat/lost.jpg");
  fs::create_directory_symlink("../cat", folder / "cat/loop");
  fs::create_directory_symlink("..", folder / "dog/up");
  fs::create_symlink("a.jpg", folder / "cat/z.jpg");
  ASSERT_EQ(::mkfifo((folder / "dog/pipe.jpg").c_str(), 0600), 0);
  const ImageFolder images(folder.path());
  EXPECT_THAT(images.classes(), ElementsAre("cat", "dog"));
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < images.size(); ++i) names.push_back(images.name(i).substr(folder.path().size() + 1));
  EXPECT_THAT(names, ElementsAre("cat/B.PNG", "cat/a.jpg", "cat/z.jpg", "dog/c.jpeg"));
  std::map<std::string, std::int64_t> left_out;
  for (const auto& kind : images.left_out()) left_out[kind.what] = kind.count;
  EXPECT_EQ(left_out, (std::map<std::string, std::int64_t>{{".webp files", 2},
                                                           {"files without an extension", 1},
                                                           {"links to above", 2},
                                                           {"links to nowhere", 1},
                                                           {"special files", 1}}));
  EXPECT_EQ(images.left_out()[0].first.substr(0, folder.path().size()), folder.path());
}

TEST(ImageFolder, DamagedPicturesAreNamedOrSkipped) {
  const TempFolder folder;
  for (int i = 0; i < 5; ++i) put_image(folder / ("cat/" + std::to_string(i) + ".jpg"), 10 * i);
  const std::string whole = test::file_bytes(folder / "cat/3.jpg");
  put_file(folder / "cat/3.jpg", whole.substr(0, whole.size() / 2));
  put_file(folder / "cat/1.jpg", "");
  const ImageFolder images(folder.path());
  for (const int workers : {0, 2}) {
    DataLoader strict(images, {.batch_size = 2, .num_workers = workers});
    EXPECT_THAT(message_of<IoError>([&] { strict.begin(); }), HasSubstr("sample 1 (" + (folder / "cat/1.jpg")));
    DataLoader lenient(images, {.batch_size = 2, .num_workers = workers, .skip_damaged = true});
    std::vector<std::int64_t> indices;
    for (const Batch& batch : lenient) indices.insert(indices.end(), batch.indices.begin(), batch.indices.end());
    EXPECT_THAT(indices, ElementsAre(0, 2, 4));
    for ([[maybe_unused]] const Batch& batch : lenient) {  // an epoch more
    }
    ASSERT_EQ(lenient.skipped().size(), 2u);
    DataLoader other(images, {.batch_size = 2, .num_workers = workers, .skip_damaged = true});
    other.load_state_dict(lenient.state_dict());
    ASSERT_EQ(other.skipped().size(), 2u);
    EXPECT_EQ(other.skipped()[1].error, lenient.skipped()[1].error);
    EXPECT_EQ(other.skipped()[1].name, lenient.skipped()[1].name);
    EXPECT_EQ(lenient.skipped()[1].name, folder / "cat/3.jpg");
    EXPECT_THAT(lenient.skipped()[1].error, HasSubstr("is damaged"));
  }
}

TEST(ImageFolder, RandomTransformsDoNotDependOnWorkers) {
  const TempFolder folder;
  for (int i = 0; i < 12; ++i) put_image(folder / ("cat/" + std::to_string(10 + i) + ".jpg"), 20 * i);
  namespace T = transforms;
  const ImageFolder images(
      folder.path(),
      {.transform = T::Compose({T::RandomResizedCrop(8), T::ColorJitter({.brightness = 0.5}), T::ToTensor()})});
  EXPECT_TRUE(images.is_random());
  std::vector<double> expected;
  for (const int workers : {0, 1, 3}) {
    DataLoader loader(images, {.batch_size = 5, .shuffle = true, .num_workers = workers, .seed = 2});
    std::vector<double> all;
    for (auto& [x, y] : loader) {
      const auto values = x.to_vector<double>();
      all.insert(all.end(), values.begin(), values.end());
    }
    if (workers == 0) expected = all;
    EXPECT_EQ(all, expected);
  }
}

TEST(ImageFolder, IdentityFollowsFilesAndTransforms) {
  const TempFolder folder;
  put_image(folder / "cat/a.png", 20);
  const auto identity = [&](AnyTransform transform = {}) {
    return ImageFolder(folder.path(), {.transform = std::move(transform)}).identity();
  };
  const std::string before = identity();
  EXPECT_EQ(identity(), before);
  EXPECT_NE(identity(transforms::Resize(8)), before);
  EXPECT_EQ(identity([](const Tensor& x) { return x; }), "");
  put_image(folder / "cat/b.png", 20);
  EXPECT_NE(identity(), before);
}

TEST(NumPyDatasets, AreTheRowsOfArrays) {
  const TempFolder folder;
  io::save_npy(folder / "x.npy", arange(6).view({3, 2}));
  io::save_npy(folder / "y.npy", arange(3));
  io::save_npz(folder / "a.npz", io::Value::dict({{"x", arange(6).view({3, 2})}, {"y", arange(3)}}));
  for (const TensorDataset& dataset :
       {npy_dataset(folder / "x.npy", folder / "y.npy"), npz_dataset(folder / "a.npz", "x", "y")}) {
    EXPECT_EQ(dataset.size(), 3);
    EXPECT_THAT(dataset.get(2).data.to_vector<int>(), ElementsAre(4, 5));
    EXPECT_EQ(dataset.get(2).target.item<int>(), 2);
  }
  EXPECT_THAT(message_of<ValueError>([&] { npz_dataset(folder / "a.npz", "z"); }), HasSubstr("z"));
}

TEST(Transformed, ChangesDataAndTargets) {
  const Transformed doubled(
      TensorDataset(arange(3), arange(3)),
      {.transform = [](const Tensor& x) { return x * 2; },
       .target_transform = Lambda([](const Tensor& y) { return y + 10; }, {.name = "+10", .random = false})});
  EXPECT_EQ(doubled.get(2).data.item<int>(), 4);
  EXPECT_EQ(doubled.get(2).target.item<int>(), 12);
  EXPECT_TRUE(doubled.is_random());
  EXPECT_EQ(doubled.identity(), "");
}

}  // namespace
}  // namespace gradus::data
