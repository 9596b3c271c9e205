// Stands between the library and the system: every call that changes the file system below one folder is counted, and
// may be recorded, made to fail, cut short, or be the last that the process makes. The calls are interposed: a program
// that defines write() is what a shared library calls, so what is tested is the library as it is.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace gradus::test {

struct Call {
  enum class Kind { Open, Create, Write, Sync, SyncFolder, Close, Chmod, Rename, Link, Unlink, Note };
  Kind kind;
  int file = -1;           // which file: its number, given in the order of creation
  std::string name = {};   // within the folder: of Create, Unlink; the old one of Rename and Link
  std::string other = {};  // the new one of Rename and Link
  std::int64_t offset = 0;
  std::string bytes = {};  // of Write
  std::int64_t note = 0;
};

enum class Fault {
  Fail,          // with an error number, nothing done
  FailFromHere,  // and all later ones that need the disk, as on a full one
  Short,         // a write takes half of its bytes, or one
  KillBefore,    // SIGKILL
  KillHalfway,   // after half of a write
  KillAfter,
};

// While one lives, calls below the folder are counted from 0. One at a time; calls may come from any thread.
class CallScope {
 public:
  explicit CallScope(const std::string& folder);
  // Call number `at` meets a fault; `error` is the error number of Fault::Fail.
  CallScope(const std::string& folder, std::size_t at, Fault fault, int error = 0);
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

  std::vector<Call> calls() const;  // those that were made so far
  bool met() const;                 // the fault
  static void note(std::int64_t number);
};

const char* to_string(Call::Kind kind);

}  // namespace gradus::test
