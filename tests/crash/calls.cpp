#include "crash/calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

namespace gradus::test {

namespace {

struct State {
  std::string folder;
  std::vector<Call> calls;
  std::optional<std::size_t> at;
  Fault fault = Fault::Fail;
  int error = 0;
  bool met = false;
  std::map<int, int> files;            // descriptor -> number; -1 of the folder
  std::map<std::string, int> numbers;  // name -> number
  std::map<int, std::int64_t> offsets;
  int next = 0;
};

std::mutex mutex;
State* active = nullptr;

// The name within the folder, if the path lies there.
std::optional<std::string> name_of(std::string_view path) {
  if (active == nullptr || !path.starts_with(active->folder)) return {};
  path.remove_prefix(active->folder.size());
  if (!path.empty() && path.front() != '/') return {};
  return std::string(path.empty() ? path : path.substr(1));
}

// What happens to this call. Gives an error number to fail with, 0 to go on.
struct Verdict {
  int error = 0;
  bool halve = false, kill_after = false;
};
Verdict judge(Call::Kind kind) {
  const bool writes = kind == Call::Kind::Write;
  if (active->fault == Fault::FailFromHere && active->at && active->calls.size() >= *active->at) {
    const bool frees = kind == Call::Kind::Unlink || kind == Call::Kind::Close || kind == Call::Kind::Open;
    active->met = active->met || !frees;
    return {frees ? 0 : active->error, false, false};
  }
  if (active->at != active->calls.size()) return {};
  switch (active->fault) {
    case Fault::FailFromHere:
      break;
    case Fault::Fail:
      active->met = true;
      active->at.reset();
      return {active->error, false, false};
    case Fault::Short:
      active->met = writes;
      return {0, writes, false};
    case Fault::KillBefore:
      ::raise(SIGKILL);
      break;
    case Fault::KillHalfway:
      return {0, writes, true};
    case Fault::KillAfter:
      return {0, false, true};
  }
  return {};
}

// Runs `real`, which gives -1 and errno on failure, and records what it did.
template <class Real>
long passed(Call call, Real&& real) {
  const Verdict verdict = judge(call.kind);
  if (verdict.error != 0) {
    errno = verdict.error;
    return -1;
  }
  const long result = real(verdict.halve);
  const int error = errno;
  if (verdict.kill_after) ::raise(SIGKILL);
  if (result >= 0) active->calls.push_back(std::move(call));
  errno = error;
  return result;
}

int number_of(const std::string& name) {
  const auto known = active->numbers.find(name);
  return known == active->numbers.end() ? active->numbers[name] = active->next++ : known->second;
}

int opened(const char* path, int flags, mode_t mode) {
  const auto real = [&] { return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode)); };
  const std::lock_guard lock(mutex);
  const auto name = name_of(path);
  const bool writes = (flags & O_ACCMODE) != O_RDONLY, folder = (flags & O_DIRECTORY) != 0;
  if (!name || !(writes || folder)) return real();
  Call call{folder ? Call::Kind::Open : Call::Kind::Create, -1, *name};
  if (!folder) call.file = active->next;
  const int fd = static_cast<int>(passed(call, [&](bool) { return real(); }));
  if (fd < 0) return fd;
  if (!folder) active->numbers[*name] = active->next++;
  active->files[fd] = call.file;
  active->offsets[fd] = 0;
  return fd;
}

// A call on a descriptor of ours.
template <class Real>
long on_file(int fd, Call::Kind kind, Real&& real) {
  const std::lock_guard lock(mutex);
  if (active == nullptr || active->files.count(fd) == 0) return real();
  const int file = active->files[fd];
  const bool folder = kind == Call::Kind::Sync && file < 0;
  // Linux closes also where it reports an error.
  if (kind == Call::Kind::Close) {
    active->files.erase(fd);
    const bool fails = active->at == active->calls.size() && active->fault == Fault::Fail;
    if (fails) real();
  }
  return passed({folder ? Call::Kind::SyncFolder : kind, file}, [&](bool) { return real(); });
}

template <class Real>
int on_names(Call::Kind kind, const char* from, const char* to, Real&& real) {
  const std::lock_guard lock(mutex);
  const auto name = name_of(from);
  if (!name) return static_cast<int>(real());
  Call call{kind, number_of(*name), *name};
  if (to != nullptr) call.other = name_of(to).value_or("");
  const int result = static_cast<int>(passed(call, [&](bool) { return real(); }));
  if (result != 0) return result;
  if (to != nullptr) active->numbers[call.other] = call.file;
  if (kind != Call::Kind::Link) active->numbers.erase(*name);
  return result;
}

}  // namespace

CallScope::CallScope(const std::string& folder) {
  const std::lock_guard lock(mutex);
  active = new State;
  active->folder = folder;
}

CallScope::CallScope(const std::string& folder, std::size_t at, Fault fault, int error) : CallScope(folder) {
  const std::lock_guard lock(mutex);
  active->at = at;
  active->fault = fault;
  active->error = error;
}

CallScope::~CallScope() {
  const std::lock_guard lock(mutex);
  delete std::exchange(active, nullptr);
}

std::vector<Call> CallScope::calls() const {
  const std::lock_guard lock(mutex);
  return active->calls;
}

bool CallScope::met() const {
  const std::lock_guard lock(mutex);
  return active->met;
}

void CallScope::note(std::int64_t number) {
  const std::lock_guard lock(mutex);
  if (active == nullptr) return;
  Call call{Call::Kind::Note};
  call.note = number;
  active->calls.push_back(call);
}

const char* to_string(Call::Kind kind) {
  constexpr const char* kNames[] = {"open",   "create", "write",  "fsync", "fsync of the folder", "close", "chmod",
                                    "rename", "link",   "unlink", "note"};
  return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace gradus::test

// --- what the library calls ---

using gradus::test::Call;

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return gradus::test::opened(path, flags, mode);
}

ssize_t write(int fd, const void* bytes, size_t count) {
  using namespace gradus::test;
  const auto real = [&](std::size_t n) { return ::syscall(SYS_write, fd, bytes, n); };
  const std::lock_guard lock(mutex);
  if (active == nullptr || active->files.count(fd) == 0) return real(count);
  Call call{Call::Kind::Write, active->files[fd]};
  call.offset = active->offsets[fd];
  const auto verdict_count = [&](bool halve) { return halve ? std::max<std::size_t>(count / 2, 1) : count; };
  const long written = passed(call, [&](bool halve) { return real(verdict_count(halve)); });
  if (written <= 0) return written;
  active->calls.back().bytes.assign(static_cast<const char*>(bytes), static_cast<std::size_t>(written));
  active->offsets[fd] += written;
  return written;
}

int fsync(int fd) {
  // Nothing here survives a power cut; a disk that is waited for would take most of the time.
  return static_cast<int>(gradus::test::on_file(fd, Call::Kind::Sync, [] { return 0L; }));
}

int close(int fd) {
  return static_cast<int>(gradus::test::on_file(fd, Call::Kind::Close, [&] { return ::syscall(SYS_close, fd); }));
}

int fchmod(int fd, mode_t mode) noexcept {
  return static_cast<int>(
      gradus::test::on_file(fd, Call::Kind::Chmod, [&] { return ::syscall(SYS_fchmod, fd, mode); }));
}

int rename(const char* from, const char* to) noexcept {
  return gradus::test::on_names(Call::Kind::Rename, from, to, [&] { return ::syscall(SYS_rename, from, to); });
}

int link(const char* from, const char* to) noexcept {
  return gradus::test::on_names(Call::Kind::Link, from, to, [&] { return ::syscall(SYS_link, from, to); });
}

int unlink(const char* path) noexcept {
  return gradus::test::on_names(Call::Kind::Unlink, path, nullptr, [&] { return ::syscall(SYS_unlink, path); });
}

// What std::filesystem::remove calls.
int remove(const char* path) noexcept {
  struct stat status {};
  if (::lstat(path, &status) == 0 && S_ISDIR(status.st_mode)) return static_cast<int>(::syscall(SYS_rmdir, path));
  return unlink(path);
}

}  // extern "C"
