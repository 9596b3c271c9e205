// Numbers for people to read.
#pragma once

#include <cstdint>
#include <string>

namespace gradus {

std::string byte_count(double bytes);     // "512 B", "1.5 MiB"
std::string short_count(double count);    // "950", "25.6 M", "4.09 G"
std::string grouped(std::int64_t count);  // "25,557,032"
std::string short_time(double seconds);   // "1.5 us", "12.3 ms", "4.2 s"

}  // namespace gradus
