// Files that appear whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include "io/file/posix.h"

namespace gradus::io {

// Collects bytes in a temporary file beside `path`; commit() puts it in the place of `path` in one step, after the
// bytes are on the disk. A crash, a full disk or an exception before that leaves the previous file as it was. The
// destructor removes the temporary file if commit() was not reached.
//
// An existing file keeps its permissions (and owner, where the process may set it); a new one gets the usual 0666 less
// the umask. A symbolic link keeps pointing where it did: the file behind it is replaced. A file that one may not
// write, and anything that is not a regular file (a folder, a device), is refused.
// Every failure is an IoError that names the path, the call and the system's reason.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);

  // The one failure after which the new file is already in place is that of the last step, the fsync of the folder: its
  // bytes are safe, but after a power cut the folder may still show the previous file.
  void commit();

 private:
  void create_temporary(const std::string& folder, unsigned mode);

  std::string path_;       // as the caller wrote it, for errors
  std::string target_;     // with symbolic links followed
  std::string temporary_;  // empty when there is none to remove
  Fd file_;
  Fd folder_;
};

// Makes `to` another name of the file `from`, in the place of what was there, in one step. Where the file system has no
// hard links it becomes a copy. IoError.
void link_file(const std::string& from, const std::string& to);

// Whether a file of this name is the temporary one of an AtomicFile.
bool is_temporary_name(std::string_view name);

// Writes a whole file through AtomicFile.
void write_file(const std::string& path, std::string_view bytes);

}  // namespace gradus::io
