// Runs shell commands and keeps what they print.
#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "support/paths.h"
#include "support/temp_folder.h"

namespace gradus::test {

struct CommandResult {
  int status;  // the exit status; 128 + n where signal n ended it
  std::string out, err;
};

inline CommandResult run_shell(const std::string& script) {
  const TempFolder folder;
  const std::string whole = "{ " + script + "\n} >'" + folder / "out" + "' 2>'" + folder / "err" + "' </dev/null";
  const int status = std::system(whole.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), file_bytes(folder / "out"),
          file_bytes(folder / "err")};
}

// The built command: run_gradus("train gan --epochs 1").
inline CommandResult run_gradus(const std::string& arguments) {
  return run_shell("'" + command_path() + "' " + arguments);
}

}  // namespace gradus::test
