// What tests/fixtures/make_checkpoints.py says that its files hold.
#pragma once

#include <gradus/io/value.h>

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace gradus::test {

const nlohmann::json& expected_checkpoints();
std::string fixture(const std::string& name);

// Compares kinds, numbers bit for bit, and of tensors the type, shape, strides, offset, size of the storage,
// requires_grad and every bit of the data. The place of the first difference, or "".
std::string difference(const io::Value& value, const nlohmann::json& expected, const std::string& place = "");

// The same between two values; tensors need only have the same type, shape and bits.
std::string difference(const io::Value& a, const io::Value& b, const std::string& place = "");

// The elements in row-major order.
std::string tensor_bytes(const Tensor& x);

}  // namespace gradus::test
