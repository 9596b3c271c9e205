#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <system_error>

#include "data/loader/hash.h"
#include "gradus/core/error.h"
#include "gradus/data/datasets.h"

namespace gradus::data {

namespace fs = std::filesystem;

struct __attribute__((visibility("hidden"))) ImageFolder::Contents {
  std::string root;
  std::vector<File> files;
  std::vector<std::string> classes;
  std::map<std::string, std::int64_t> class_to_idx;
  std::vector<LeftOut> left_out;
};

namespace {

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// What systems and tools put into folders for themselves.
bool is_of_the_system(const std::string& name) {
  constexpr std::string_view kNames[] = {"__macosx",   "@eadir",      "#recycle",    "$recycle.bin",
                                         "thumbs.db",  "ehthumbs.db", "desktop.ini", "system volume information",
                                         "lost+found", "__pycache__", "icon\r"};
  return name.starts_with('.') || std::find(std::begin(kNames), std::end(kNames), lower(name)) != std::end(kNames);
}

struct Entry {
  std::string name;
  fs::file_type type;  // links are followed
};

// What lies in a folder, sorted by name, without what is the system's.
std::vector<Entry> entries_of(const std::string& folder) {
  std::vector<Entry> entries;
  try {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      std::string name = entry.path().filename().string();
      std::error_code unknown;
      if (!is_of_the_system(name)) entries.push_back({std::move(name), entry.status(unknown).type()});
    }
  } catch (const fs::filesystem_error& error) {
    throw IoError(fmt::format("ImageFolder: cannot read {}: {}", folder, error.code().message()));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

// Looks through the folders of classes.
class Collector {
 public:
  Collector(const std::string& root, const std::vector<std::string>& extensions,
            std::vector<ImageFolder::LeftOut>& left_out)
      : extensions_(extensions), left_out_(left_out) {
    enter(root);
  }

  // All pictures below, those of a folder before those of its sub-folders, in the order of torchvision's os.walk.
  void collect(const std::string& folder, std::vector<std::string>& paths) {
    if (!enter(folder)) return leave_out("links to above", folder);
    const auto entries = entries_of(folder);
    for (const auto& [name, type] : entries) {
      if (type != fs::file_type::directory) take(folder + "/" + name, type, paths);
    }
    for (const auto& [name, type] : entries) {
      if (type == fs::file_type::directory) collect(folder + "/" + name, paths);
    }
    above_.pop_back();
  }

 private:
  // False for a folder that this one lies in.
  bool enter(const std::string& folder) {
    struct stat status {};
    if (::stat(folder.c_str(), &status) != 0) {
      throw IoError(fmt::format("ImageFolder: cannot read {}: {}", folder, std::generic_category().message(errno)));
    }
    const std::pair id(status.st_dev, status.st_ino);
    if (std::find(above_.begin(), above_.end(), id) != above_.end()) return false;
    above_.push_back(id);
    return true;
  }

  void leave_out(const std::string& what, const std::string& path) {
    const auto known =
        std::find_if(left_out_.begin(), left_out_.end(), [&](const auto& other) { return other.what == what; });
    if (known != left_out_.end()) {
      ++known->count;
    } else {
      left_out_.push_back({what, 1, path});
    }
  }

  void take(const std::string& path, fs::file_type type, std::vector<std::string>& paths) {
    if (type == fs::file_type::not_found) return leave_out("links to nowhere", path);
    // Reading a pipe would wait for ever.
    if (type != fs::file_type::regular) return leave_out("special files", path);
    const std::string lowered = lower(path);
    const bool known = std::any_of(extensions_.begin(), extensions_.end(),
                                   [&](const std::string& end) { return lowered.ends_with(end); });
    if (known) return paths.push_back(path);
    const std::string extension = fs::path(lowered).extension().string();
    leave_out(extension.empty() ? "files without an extension" : extension + " files", path);
  }

  const std::vector<std::string>& extensions_;
  std::vector<ImageFolder::LeftOut>& left_out_;
  std::vector<std::pair<dev_t, ino_t>> above_;  // the folders that this one lies in
};

}  // namespace

ImageFolder::ImageFolder(const std::string& root, ImageFolderOptions options) : options_(std::move(options)) {
  for (std::string& extension : options_.extensions) extension = lower(std::move(extension));
  auto contents = std::make_shared<Contents>();
  contents->root = root;
  Collector collector(root, options_.extensions, contents->left_out);
  for (const auto& [name, type] : entries_of(root)) {
    if (type != fs::file_type::directory) continue;
    const std::int64_t target = std::ssize(contents->classes);
    std::vector<std::string> paths;
    collector.collect(root + "/" + name, paths);
    if (paths.empty() && !options_.allow_empty) {
      throw IoError(fmt::format("ImageFolder: no picture in {}/{}; allow_empty lets that pass", root, name));
    }
    contents->classes.push_back(name);
    contents->class_to_idx[name] = target;
    for (std::string& path : paths) contents->files.push_back({std::move(path), target});
  }
  if (contents->classes.empty()) {
    throw IoError(fmt::format("ImageFolder: {} has no sub-folder; each is a class", root));
  }
  contents_ = std::move(contents);
}

std::int64_t ImageFolder::size() const { return std::ssize(contents_->files); }

Sample ImageFolder::get(std::int64_t index) const {
  check_index("ImageFolder", index);
  const File& file = contents_->files[static_cast<std::size_t>(index)];
  return {options_.transform(io::read_image(file.path, options_.read)), options_.target_transform(tensor(file.target))};
}

std::string ImageFolder::name(std::int64_t index) const {
  check_index("ImageFolder", index);
  return contents_->files[static_cast<std::size_t>(index)].path;
}

bool ImageFolder::is_random() const { return options_.transform.is_random() || options_.target_transform.is_random(); }

std::string ImageFolder::identity() const {
  Hash hash;
  hash.add(static_cast<int>(options_.read.mode)).add(options_.read.min_size);
  hash.add(static_cast<int>(options_.read.apply_exif_orientation));
  for (const File& file : contents_->files) {
    struct stat status {};
    if (::stat(file.path.c_str(), &status) != 0) {
      throw IoError(fmt::format("ImageFolder: cannot read {}: {}", file.path, std::generic_category().message(errno)));
    }
    hash.add(std::string_view(file.path).substr(contents_->root.size())).add(file.target);
    hash.add(status.st_size).add(status.st_mtim.tv_sec).add(status.st_mtim.tv_nsec);
  }
  return TransformedOptions{options_.transform, options_.target_transform}.identity("folder " + hash.hex());
}

const std::vector<ImageFolder::File>& ImageFolder::samples() const { return contents_->files; }
const std::vector<ImageFolder::LeftOut>& ImageFolder::left_out() const { return contents_->left_out; }
const std::vector<std::string>& ImageFolder::classes() const { return contents_->classes; }
const std::map<std::string, std::int64_t>& ImageFolder::class_to_idx() const { return contents_->class_to_idx; }

}  // namespace gradus::data
