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

// The rows of all sequences without padding: first those of position 0 of all sequences, the longest sequence first,
// then those of position 1, and so on.
struct PackedSequence {
  Tensor data;              // [rows, ...]
  Tensor batch_sizes;       // int64 [longest]: the number of sequences that have position t; it never increases
  Tensor sorted_indices;    // int64 [N]: the caller's number of the sequence at place i; undefined: i
  Tensor unsorted_indices;  // the inverse

  PackedSequence to(Dtype dtype) const { return {data.to(dtype), batch_sizes, sorted_indices, unsorted_indices}; }
};

// input [L, N, ...], or [N, L, ...] with batch_first; lengths [N] of any integer type, each from 1 to L (ValueError).
// With enforce_sorted the lengths must not increase (ValueError); without it the sequences are sorted, and layers and
// pad_packed_sequence restore the order.
PackedSequence pack_padded_sequence(const Tensor& input, const Tensor& lengths, bool batch_first = false,
                                    bool enforce_sorted = true);
PackedSequence pack_padded_sequence(const Tensor& input, const std::vector<std::int64_t>& lengths,
                                    bool batch_first = false, bool enforce_sorted = true);

// {padded, lengths}. The padded length is total_length, which must be at least that of the longest sequence
// (ValueError); unset, it is the longest.
std::pair<Tensor, Tensor> pad_packed_sequence(const PackedSequence& sequence, bool batch_first = false,
                                              double padding_value = 0, std::optional<std::int64_t> total_length = {});

// Sequences [length, ...] as one tensor [longest, N, ...], or [N, longest, ...] with batch_first. padding_side is
// "right" or "left".
Tensor pad_sequence(const std::vector<Tensor>& sequences, bool batch_first = false, double padding_value = 0,
                    const std::string& padding_side = "right");
PackedSequence pack_sequence(const std::vector<Tensor>& sequences, bool enforce_sorted = true);
std::vector<Tensor> unpad_sequence(const Tensor& padded, const Tensor& lengths, bool batch_first = false);
std::vector<Tensor> unpack_sequence(const PackedSequence& packed);

}  // namespace gradus::nn::utils::rnn
