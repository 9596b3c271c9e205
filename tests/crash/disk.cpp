#include "crash/disk.h"

#include <algorithm>
#include <filesystem>
#include <random>
#include <utility>

#include "support/temp_folder.h"

namespace gradus::test {

namespace {

constexpr std::size_t kSector = 512;

struct File {
  std::string synced, written;  // what is on the disk for certain, and what a process would read
};

// Of the folder's names.
struct Change {
  Call::Kind kind;
  std::string name, other;
  int file;
  void apply(std::map<std::string, int>& names) const {
    if (kind == Call::Kind::Create) names[name] = file;
    if (kind == Call::Kind::Rename || kind == Call::Kind::Unlink) names.erase(name);
    if (kind == Call::Kind::Rename || kind == Call::Kind::Link) names[other] = file;
  }
};

struct Disk {
  std::map<int, File> files;
  std::map<std::string, int> names;  // on the disk for certain
  std::vector<Change> changes;       // not synced
};

Disk replay(const Contents& before, const std::vector<Call>& calls, std::size_t count, const DiskRules& rules) {
  Disk disk;
  // Files from before have numbers below 0, until a call names them.
  int old = -2;
  std::map<std::string, int> known;
  for (const auto& [name, bytes] : before) {
    disk.files[old] = {bytes, bytes};
    known[name] = disk.names[name] = old--;
  }
  std::map<int, int> same;  // a call's number -> ours
  const auto file_of = [&](const Call& call) {
    const auto [it, added] = same.emplace(call.file, call.file);
    if (added && known.count(call.name) != 0) it->second = known.at(call.name);
    return it->second;
  };
  for (std::size_t i = 0; i < count; ++i) {
    const Call& call = calls[i];
    switch (call.kind) {
      case Call::Kind::Create:
        same[call.file] = call.file;
        disk.files[call.file];
        disk.changes.push_back({call.kind, call.name, call.other, call.file});
        break;
      case Call::Kind::Rename:
      case Call::Kind::Link:
      case Call::Kind::Unlink:
        disk.changes.push_back({call.kind, call.name, call.other, file_of(call)});
        break;
      case Call::Kind::Write: {
        std::string& bytes = disk.files[same.at(call.file)].written;
        const auto end = static_cast<std::size_t>(call.offset) + call.bytes.size();
        if (bytes.size() < end) bytes.resize(end);
        std::copy(call.bytes.begin(), call.bytes.end(), bytes.begin() + static_cast<std::ptrdiff_t>(call.offset));
        break;
      }
      case Call::Kind::Sync:
        if (rules.files_sync) disk.files[same.at(call.file)].synced = disk.files[same.at(call.file)].written;
        break;
      case Call::Kind::SyncFolder:
        if (!rules.folders_sync) break;
        for (const Change& change : disk.changes) change.apply(disk.names);
        disk.changes.clear();
        break;
      case Call::Kind::Open:
      case Call::Kind::Close:
      case Call::Kind::Chmod:
      case Call::Kind::Note:
        break;
    }
  }
  return disk;
}

enum class Data { Lost, There, Torn };

std::string data_of(const File& file, Data data, std::mt19937& random) {
  if (data == Data::Lost || file.synced == file.written) return file.synced;
  if (data == Data::There) return file.written;
  const std::size_t least = std::min(file.synced.size(), file.written.size());
  const std::size_t most = std::max(file.synced.size(), file.written.size());
  std::string bytes = file.written;
  bytes.resize(least + random() % (most - least + 1));
  for (std::size_t at = 0; at < bytes.size(); at += kSector) {
    if (random() % 2 == 0) continue;
    for (std::size_t i = at; i < std::min(at + kSector, bytes.size()); ++i)
      bytes[i] = i < file.synced.size() ? file.synced[i] : '\0';
  }
  return bytes;
}

}  // namespace

std::set<Contents> states_after(const Contents& before, const std::vector<Call>& calls, std::size_t count,
                                const DiskRules& rules, int torn) {
  const Disk disk = replay(before, calls, count, rules);
  std::set<Contents> states;
  std::mt19937 random(static_cast<unsigned>(count));
  // All choices of the changes where there are few, else those that keep the order, and random ones.
  constexpr std::size_t kFew = 6;
  const std::size_t n = disk.changes.size();
  std::vector<std::vector<bool>> choices;
  if (n <= kFew) {
    for (std::size_t bits = 0; bits < std::size_t{1} << n; ++bits) {
      std::vector<bool> choice(n);
      for (std::size_t i = 0; i < n; ++i) choice[i] = (bits >> i & 1) != 0;
      choices.push_back(choice);
    }
  } else {
    for (std::size_t kept = 0; kept <= n; ++kept) {
      std::vector<bool> choice(n, false);
      std::fill(choice.begin(), choice.begin() + static_cast<std::ptrdiff_t>(kept), true);
      choices.push_back(choice);
    }
    for (int i = 0; i < 64; ++i) {
      std::vector<bool> choice(n);
      for (std::size_t j = 0; j < n; ++j) choice[j] = random() % 2 == 0;
      choices.push_back(choice);
    }
  }
  for (const auto& choice : choices) {
    std::map<std::string, int> names = disk.names;
    for (std::size_t i = 0; i < n; ++i)
      if (choice[i]) disk.changes[i].apply(names);
    for (int i = -2; i < torn; ++i) {
      const Data data = i == -2 ? Data::Lost : i == -1 ? Data::There : Data::Torn;
      Contents contents;
      std::map<int, std::string> bytes;
      for (const auto& [name, file] : names) {
        if (bytes.count(file) == 0) bytes[file] = data_of(disk.files.at(file), data, random);
        contents[name] = bytes[file];
      }
      states.insert(std::move(contents));
    }
  }
  return states;
}

Contents read_folder(const std::string& folder) {
  Contents contents;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.is_regular_file()) contents[entry.path().filename().string()] = file_bytes(entry.path().string());
  return contents;
}

void write_folder(const std::string& folder, const Contents& contents) {
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  for (const auto& [name, bytes] : contents) put_file(folder + "/" + name, bytes);
}

}  // namespace gradus::test
