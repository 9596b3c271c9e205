// Sequences of different lengths in one batch: torch.nn.utils.rnn.
//
//   namespace rnn = nn::utils::rnn;
//   const auto packed = rnn::pack_padded_sequence(x, lengths, /*batch_first=*/false, /*enforce_sorted=*/false);
//   auto [y, state] = lstm(packed);
//   auto [padded, lengths_again] = rnn::pad_packed_sequence(y);
#pragma once

#include <gradus/tensor.h>

#include <optional>
#include <utility>
#include <vector>

namespace gradus::nn::utils::rnn {

// All positions without padding: those of position 0 of all sequences, the longest first, then those of position 1, and
// so on.
struct PackedSequence {
  Tensor data;              // [rows, ...]
  Tensor batch_sizes;       // int64 [longest]: how many sequences have a position t; never more than at t - 1
  Tensor sorted_indices;    // int64 [N]: which sequence of the caller's comes at place i; undefined: the i-th
  Tensor unsorted_indices;  // the inverse

  PackedSequence to(Dtype dtype) const { return {data.to(dtype), batch_sizes, sorted_indices, unsorted_indices}; }
};

// input [L, N, ...], or [N, L, ...] with batch_first; lengths [N] of any integer type, each from 1 to L. With
// enforce_sorted the lengths must not increase; without, the sequences are sorted, and layers and pad_packed_sequence
// restore the order.
PackedSequence pack_padded_sequence(const Tensor& input, const Tensor& lengths, bool batch_first = false,
                                    bool enforce_sorted = true);
PackedSequence pack_padded_sequence(const Tensor& input, const std::vector<std::int64_t>& lengths,
                                    bool batch_first = false, bool enforce_sorted = true);

// {padded, lengths}; total_length, at least the longest, is the padded length to give.
std::pair<Tensor, Tensor> pad_packed_sequence(const PackedSequence& sequence, bool batch_first = false,
                                              double padding_value = 0, std::optional<std::int64_t> total_length = {});

// Sequences [length, ...] as one tensor [longest, N, ...], or [N, longest, ...]. padding_side: "right" or "left".
Tensor pad_sequence(const std::vector<Tensor>& sequences, bool batch_first = false, double padding_value = 0,
                    const std::string& padding_side = "right");
PackedSequence pack_sequence(const std::vector<Tensor>& sequences, bool enforce_sorted = true);
std::vector<Tensor> unpad_sequence(const Tensor& padded, const Tensor& lengths, bool batch_first = false);
std::vector<Tensor> unpack_sequence(const PackedSequence& packed);

}  // namespace gradus::nn::utils::rnn
