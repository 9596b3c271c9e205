// Datasets in files. Names, folders and file names are those of torchvision.datasets; nothing is downloaded.
// All give IoError naming the file for what is missing or damaged.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gradus/data/dataset.h>
#include <gradus/data/transform.h>
#include <gradus/io/image.h>

namespace gradus::data {

// Another dataset with its samples changed: a transform each for data and target. With it, parts of one dataset can
// have transforms of their own:  Transformed(parts[0], {.transform = augment}).
struct TransformedOptions {
  AnyTransform transform = {};
  AnyTransform target_transform = {};

  bool is_random() const;
  std::string identity(const std::string& of) const;  // of a dataset that is changed so; "" where something is unknown
};
class Transformed final : public Dataset {
 public:
  Transformed(AnyDataset dataset, TransformedOptions options) : dataset_(std::move(dataset)), options_(options) {}
  std::int64_t size() const override { return dataset_->size(); }
  Sample get(std::int64_t index) const override;
  std::string name(std::int64_t index) const override { return dataset_->name(index); }
  bool is_random() const override;
  std::string identity() const override;

 private:
  AnyDataset dataset_;
  TransformedOptions options_;
};

// Pictures that fit in memory: uint8 [N, C, H, W] with classes int64 [N].
class ImageArray : public Dataset {
 public:
  // ShapeError and DtypeError for other tensors. Where classes are named, ValueError for a target that is none of them.
  // `name` is the file's, for messages.
  ImageArray(Tensor images, Tensor targets, std::vector<std::string> classes, TransformedOptions options,
             std::string name = "images");
  std::int64_t size() const override { return images_.size(0); }
  Sample get(std::int64_t index) const override;
  Batch get_batch(std::span<const std::int64_t> indices) const override;
  std::string name(std::int64_t index) const override;
  bool is_random() const override;
  std::string identity() const override;

  const Tensor& images() const { return images_; }
  const Tensor& targets() const { return targets_; }
  const std::vector<std::string>& classes() const { return classes_; }

 private:
  Tensor images_, targets_;
  std::vector<std::string> classes_;
  TransformedOptions options_;
  std::string name_;
};

struct MNISTOptions {
  bool train = true;
  AnyTransform transform = {};
  AnyTransform target_transform = {};
};
// Images [1, 28, 28] from {train,t10k}-{images-idx3,labels-idx1}-ubyte, plain or with .gz, in root/MNIST/raw (as
// torchvision keeps them) or in root itself. Any IDX files of that form will do: other sizes and numbers of images too.
// IoError for a label beyond the ten classes.
class MNIST : public ImageArray {
 public:
  explicit MNIST(const std::string& root, const MNISTOptions& options = {});

 protected:
  MNIST(const std::string& root, const std::string& folder, std::vector<std::string> classes,
        const MNISTOptions& options);
};
// The same in root/FashionMNIST/raw or root.
class FashionMNIST final : public MNIST {
 public:
  explicit FashionMNIST(const std::string& root, const MNISTOptions& options = {});
};

// Images [3, 32, 32] from root/cifar-10-batches-bin (the "binary version") or root itself: data_batch_1.bin to
// data_batch_5.bin, or test_batch.bin, and the names of batches.meta.txt; numbers where it is not there.
class CIFAR10 final : public ImageArray {
 public:
  explicit CIFAR10(const std::string& root, const MNISTOptions& options = {});
};

struct CIFAR100Options {
  bool train = true;
  AnyTransform transform = {};
  AnyTransform target_transform = {};
  bool coarse = false;  // the 20 groups instead of the 100 classes
};
// train.bin or test.bin of root/cifar-100-binary or root itself.
class CIFAR100 final : public ImageArray {
 public:
  explicit CIFAR100(const std::string& root, const CIFAR100Options& options = {});
};

struct ImageFolderOptions {
  AnyTransform transform = {};
  AnyTransform target_transform = {};
  io::ReadImageOptions read = {.mode = io::ImageReadMode::RGB};
  std::vector<std::string> extensions = {".jpg", ".jpeg", ".png"};  // in any case
  bool allow_empty = false;                                         // classes without a picture
};
// root/CLASS/ANY/PATH.jpg: a class is a sub-folder, and they are numbered in sorted order; so are the files of one.
// Links are followed. Hidden entries and what systems keep for themselves (__MACOSX, @eaDir, Thumbs.db, ...) are passed
// over; what else is not a picture is listed in left_out(). IoError if there is no class, or one without a picture.
class ImageFolder final : public Dataset {
 public:
  explicit ImageFolder(const std::string& root, ImageFolderOptions options = {});
  std::int64_t size() const override;
  Sample get(std::int64_t index) const override;
  std::string name(std::int64_t index) const override;
  bool is_random() const override;
  std::string identity() const override;  // of the files' names, sizes and times of change

  struct File {
    std::string path;
    std::int64_t target;
  };
  const std::vector<File>& samples() const;
  // Files of other formats, links to nowhere and to folders above, pipes and devices, by kind.
  struct LeftOut {
    std::string what;  // ".webp files", "links to nowhere"
    std::int64_t count;
    std::string first;  // the path of one
  };
  const std::vector<LeftOut>& left_out() const;
  const std::vector<std::string>& classes() const;
  const std::map<std::string, std::int64_t>& class_to_idx() const;

 private:
  struct Contents;
  std::shared_ptr<const Contents> contents_;
  ImageFolderOptions options_;
};

// One column by its name, or several.
struct ColumnNames : std::vector<std::string> {
  ColumnNames() = default;
  ColumnNames(const char* name) : vector{name} {}
  ColumnNames(std::string name) : vector{std::move(name)} {}
  ColumnNames(std::initializer_list<std::string> names) : vector(names) {}
  ColumnNames(std::vector<std::string> names) : vector(std::move(names)) {}
};

// What a target column is: int64, float32, or values that are numbered in sorted order.
enum class CsvTarget { automatic, integers, numbers, classes };

// What a table's columns become. Another table that is read with it becomes the same: that of a test, for instance.
struct CsvEncoding {
  std::vector<std::string> columns;                         // of the data, in this order
  std::map<std::string, std::vector<std::string>> one_hot;  // the values of some of them
  std::vector<std::string> target, classes;
  CsvTarget target_type = CsvTarget::automatic;
};

struct CsvOptions {
  ColumnNames target = {};                // by name or, without a header, number; several become float32 [targets]
  std::vector<std::string> columns = {};  // of the data, in this order; empty: all others
  std::optional<bool> header = {};        // the first line has the columns' names; unset: unless all of it is numbers
  char delimiter = 0;                     // 0: the comma, semicolon, tab or bar that the lines show
  std::optional<double> missing = {};     // what a missing field of the data counts as; unset: an error
  std::vector<std::string> na_values = usual_na_values();  // what says that a field is missing; pandas' name
  std::vector<std::string> one_hot = {};                   // columns of names: each value becomes a column of 0 and 1
  char decimal = '.';                                      // or ','
  CsvTarget target_type = CsvTarget::automatic;
  std::optional<CsvEncoding> encoding = {};  // of another table; takes the place of target, columns and one_hot
  TransformedOptions transforms = {};

  // "", NA, N/A, NaN, null, None, "?" and what is like them.
  static const std::vector<std::string>& usual_na_values();
};
// A table of numbers (RFC 4180, also gzipped): data are float32 [columns]. A target column of whole numbers is int64,
// of other numbers float32, of names classes; a few fields that are not numbers among many that are, are an error.
// Blanks around fields do not count, and numbers out of range become 0 or infinite, as in C. IoError names line and
// column.
class CsvDataset final : public Dataset {
 public:
  explicit CsvDataset(const std::string& path, const CsvOptions& options = {});
  std::int64_t size() const override { return data_.size(0); }
  Sample get(std::int64_t index) const override;
  Batch get_batch(std::span<const std::int64_t> indices) const override;
  std::string name(std::int64_t index) const override;
  bool is_random() const override;
  std::string identity() const override;

  const Tensor& data() const { return data_; }        // [rows, columns]
  const Tensor& targets() const { return targets_; }  // [rows], or [rows, targets]; undefined without a target column
  const std::vector<std::string>& columns() const { return columns_; }  // of the data: "color_red" of a one-hot one
  const std::vector<std::string>& classes() const { return encoding_.classes; }
  const CsvEncoding& encoding() const { return encoding_; }
  const std::vector<std::string>& notes() const { return notes_; }  // what was guessed, for people to read

 private:
  std::string path_;
  CsvEncoding encoding_;
  Tensor data_, targets_;
  std::vector<std::string> columns_, notes_;
  std::vector<std::int64_t> lines_;  // where a row begins in the file
  TransformedOptions options_;
};

// The rows of NumPy arrays, which stay in the mapped file until they are used (see io::LoadOptions).
TensorDataset npy_dataset(const std::string& data, const std::string& target = "");
// The same from one .npz file, by the arrays' names. ValueError for a name that is not there.
TensorDataset npz_dataset(const std::string& path, const std::string& data, const std::string& target = "");

}  // namespace gradus::data
