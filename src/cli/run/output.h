// What commands print, where standard output or standard error may be full or closed.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace gradus::cli {

// Files that the process opens must not get the numbers of standard streams that were closed when it started: what is
// printed would land in them. Such streams stay closed for reading and writing.
void reserve_standard_streams();

// A line for standard error. Never throws: there is nobody else to tell.
void complain(std::string_view line) noexcept;

// Of several processes one speaks: from here on say() and warn() print nothing, nor does a progress bar.
void keep_quiet(bool quiet);
bool is_quiet();

void print_run_message(std::string_view text);

// What a run says of itself. Its results are in files, so that a full disk or a closed terminal must not cost them:
// complains once, and goes on.
template <class... T>
void say(fmt::format_string<T...> format, T&&... arguments) {
  print_run_message(fmt::format(format, std::forward<T>(arguments)...));
}

// At the end of the process: its exit status, which tells if standard output did not get everything.
int finish_output(int status);

}  // namespace gradus::cli
