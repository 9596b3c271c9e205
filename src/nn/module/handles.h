// What keeps the C++ objects of modules together.
#pragma once

#include <mutex>

namespace gradus::nn::detail {

// For the links between objects: the handles of a state, places, heirs. Copies of a module may live on other threads.
std::recursive_mutex& handles_mutex();

const void* this_thread();

}  // namespace gradus::nn::detail
