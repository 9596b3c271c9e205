#include "cli/run/processes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gradus/core/parallel.h>
#include <gradus/distributed.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <thread>

#include "cli/run/output.h"
#include "distributed/connection/round.h"

namespace gradus::cli {

namespace {

// Whether the others know of this error by now: their echo of it comes back.
bool others_know(const std::string& error) {
  distributed::Group* const group = distributed::group();
  for (int i = 0; i < 250; ++i) {
    while (const auto note = group->transport().told())
      if (note->find(error.substr(0, 200)) != std::string::npos) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace

bool leads() { return distributed::rank() == 0; }

int in_processes(const std::function<int()>& command) {
  try {
    distributed::init();
  } catch (const std::exception& error) {
    complain(fmt::format("gradus: {}", error.what()));
    return 2;
  }
  keep_quiet(!leads());
  const int status = command();
  if (distributed::size() == 1 || distributed::group()->failed()) return status;
  try {
    distributed::finalize();
  } catch (const std::exception& error) {
    complain_of(fmt::format("gradus: {}", error.what()), true);
    return 2;
  }
  return status;
}

void complain_of(const std::string& error, bool of_processes) {
  if (distributed::size() == 1) return complain(error);
  if (leads()) {
    if (!of_processes) distributed::abort(error);
    return complain(error);
  }
  const auto mentions = [&](const char* text) { return error.find(text) != std::string::npos; };
  if (of_processes) {
    // Rank 0 says the same, unless it is what is missing.
    if (!mentions("rank 0 is gone") && !mentions("rank 0 did not connect") && !mentions("ranks 0")) return;
  } else {
    distributed::abort(error);
    if (others_know(error)) return;
  }
  complain(fmt::format("rank {}: {}", distributed::rank(), error));
}

int greatest_of_all(const std::string& what, int own) {
  distributed::Group* const group = distributed::group();
  if (group == nullptr) return own;
  distributed::Round round(*group, what, {reinterpret_cast<const char*>(&own), sizeof own});
  round.wait();
  for (int rank = 0; rank < group->size(); ++rank) {
    int theirs = 0;
    std::memcpy(&theirs, round.of(rank).data(), sizeof theirs);
    own = std::max(own, theirs);
  }
  return own;
}

std::vector<std::string> lines_of_all(const std::vector<std::string>& own) {
  std::vector<std::string> lines;
  for (const std::string& theirs : distributed::all_gather_object(fmt::format("{}", fmt::join(own, "\n")))) {
    for (std::size_t at = 0; at < theirs.size();) {
      const std::size_t end = std::min(theirs.find('\n', at), theirs.size());
      const std::string line = theirs.substr(at, end - at);
      if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(line);
      at = end + 1;
    }
  }
  return lines;
}

void check_chunks(std::int64_t chunks) {
  if (chunks > 0 && chunks < distributed::size())
    throw ValueError(
        fmt::format("--chunks: {} processes need at least as many chunks, got {}", distributed::size(), chunks));
}

std::string describe_processes(std::int64_t chunks) {
  const std::vector<std::string> threads = distributed::all_gather_object(std::to_string(get_num_threads()));
  const bool same = std::count(threads.begin(), threads.end(), threads[0]) == std::ssize(threads);
  return fmt::format("{} processes ({}), {} chunks of every batch; threads of each: {}", threads.size(),
                     distributed::backend(), chunks, same ? threads[0] : fmt::format("{}", fmt::join(threads, ", ")));
}

}  // namespace gradus::cli
