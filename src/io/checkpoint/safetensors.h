#pragma once

#include <gradus/io/safetensors.h>

#include <memory>
#include <string_view>

#include "io/file/source.h"

namespace gradus::io {

// Whether the first bytes look like the format.
bool is_safetensors(std::string_view file);
Safetensors read_safetensors(const std::shared_ptr<Source>& source);

}  // namespace gradus::io
