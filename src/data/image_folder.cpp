#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "data/hash.h"
#include "gradus/data/datasets.h"
#include "gradus/error.h"

namespace gradus::data {

namespace fs = std::filesystem;

struct __attribute__((visibility("hidden"))) ImageFolder::Contents {
  std::string root;
  std::vector<File> files;
  std::vector<std::string> classes;
  std::map<std::string, std::int64_t> class_to_idx;
};

namespace {

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// The names in a folder, sorted, with whether each is a folder itself (links are followed).
std::vector<std::pair<std::string, bool>> entries_of(const std::string& folder) {
  std::vector<std::pair<std::string, bool>> entries;
  try {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      std::error_code dangling;
      entries.emplace_back(entry.path().filename().string(), entry.is_directory(dangling));
    }
  } catch (const fs::filesystem_error& error) {
    throw IoError(fmt::format("ImageFolder: cannot read {}: {}", folder, error.code().message()));
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

constexpr int kMaxDepth = 32;  // a link may lead back to where it lies

// All files below, those of a folder before those of its sub-folders, as torchvision's os.walk gives them.
void collect(const std::string& folder, const std::vector<std::string>& extensions, int depth,
             std::vector<std::string>& paths) {
  if (depth > kMaxDepth) throw IoError(fmt::format("ImageFolder: {} lies too deep; is it a link to above?", folder));
  const auto entries = entries_of(folder);
  for (const auto& [name, is_folder] : entries) {
    const std::string lowered = lower(name);
    if (is_folder || std::none_of(extensions.begin(), extensions.end(),
                                  [&](const std::string& end) { return lowered.ends_with(end); })) {
      continue;
    }
    paths.push_back(folder + "/" + name);
  }
  for (const auto& [name, is_folder] : entries) {
    if (is_folder) collect(folder + "/" + name, extensions, depth + 1, paths);
  }
}

}  // namespace

ImageFolder::ImageFolder(const std::string& root, ImageFolderOptions options) : options_(std::move(options)) {
  for (std::string& extension : options_.extensions) extension = lower(std::move(extension));
  auto contents = std::make_shared<Contents>();
  contents->root = root;
  for (const auto& [name, is_folder] : entries_of(root)) {
    if (!is_folder) continue;
    const std::int64_t target = std::ssize(contents->classes);
    std::vector<std::string> paths;
    collect(root + "/" + name, options_.extensions, 0, paths);
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
const std::vector<std::string>& ImageFolder::classes() const { return contents_->classes; }
const std::map<std::string, std::int64_t>& ImageFolder::class_to_idx() const { return contents_->class_to_idx; }

}  // namespace gradus::data
