// What a disk may hold after a power cut: a model of a file system that keeps only what was synced.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "crash/calls.h"

namespace gradus::test {

using Contents = std::map<std::string, std::string>;  // names to bytes

// What a file system may lose beside what was not synced.
struct DiskRules {
  bool files_sync = true;    // false: fsync of a file does nothing
  bool folders_sync = true;  // false: fsync of a folder does nothing
};

// Every state that the folder may be in when the power goes after the first `count` calls. Data that was not synced is
// lost, or there, or there in some sectors of 512 bytes (the others read as zeros or as what was there before), and the
// file may end anywhere in between. Changes of the folder since its last sync are there or not, each by itself. `torn`
// is how many random choices of sectors are tried.
std::set<Contents> states_after(const Contents& before, const std::vector<Call>& calls, std::size_t count,
                                const DiskRules& rules = {}, int torn = 4);

Contents read_folder(const std::string& folder);
void write_folder(const std::string& folder, const Contents& contents);

}  // namespace gradus::test
