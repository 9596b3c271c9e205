#include <gradus/nn/utils/rnn.h>
#include <gradus/ops.h>

#include <algorithm>
#include <numeric>

#include "nn/layers/recurrent.h"

namespace gradus::nn::utils::rnn {

namespace {

using std::int64_t;
using Numbers = std::vector<int64_t>;

Numbers numbers_of(const char* call, const char* what, const Tensor& x) {
  if (!x.defined() || x.dim() != 1 || !is_integral(x.dtype()) || x.dtype() == kBool) {
    throw ValueError(std::string(call) + ": " + what + " must be a vector of integers, got " +
                     (x.defined() ? std::string(to_string(x.dtype())) + " " + to_string(x.sizes()) : "nothing"));
  }
  const Tensor all = x.to(kInt64).contiguous().cpu();
  const auto* first = all.const_data_ptr<int64_t>();
  return {first, first + all.numel()};
}

std::string text_of(const Numbers& values) {
  std::string text = "[";
  for (std::size_t i = 0; i < std::min<std::size_t>(values.size(), 10); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(values[i]);
  }
  return text + (values.size() > 10 ? ", ...]" : "]");
}

Tensor indices(const Numbers& values) { return tensor(values, Shape{static_cast<int64_t>(values.size())}); }

Numbers lengths_of(const Numbers& batch_sizes) {
  Numbers lengths(static_cast<std::size_t>(batch_sizes.front()), 0);
  for (const int64_t size : batch_sizes)
    for (int64_t n = 0; n < size; ++n) ++lengths[static_cast<std::size_t>(n)];
  return lengths;
}

Shape with_leading(int64_t first, int64_t second, const Shape& inner, int skip) {
  Shape sizes{first, second};
  for (int d = skip; d < inner.rank(); ++d) sizes.push_back(inner[d]);
  return sizes;
}

}  // namespace

std::vector<int64_t> batch_sizes_of(const char* call, const PackedSequence& packed) {
  const Numbers sizes = numbers_of(call, "batch_sizes", packed.batch_sizes);
  const int64_t rows = packed.data.defined() && packed.data.dim() > 0 ? packed.data.sizes()[0] : -1;
  bool falls = !sizes.empty();
  int64_t sum = 0;
  for (std::size_t t = 0; t < sizes.size() && falls; ++t) {
    falls = sizes[t] >= 1 && (t == 0 || sizes[t] <= sizes[t - 1]) && sizes[t] <= rows - sum;
    sum += sizes[t];
  }
  if (!falls || sum != rows) {
    throw ValueError(
        std::string(call) + ": batch_sizes must be positive, not increase, and add up to the rows of data, " + "got " +
        text_of(sizes) + " for data " + (packed.data.defined() ? to_string(packed.data.sizes()) : "undefined"));
  }
  return sizes;
}

PackedSequence pack_padded_sequence(const Tensor& input, const Tensor& lengths, bool batch_first, bool enforce_sorted) {
  return pack_padded_sequence(input, numbers_of("pack_padded_sequence", "lengths", lengths), batch_first,
                              enforce_sorted);
}

PackedSequence pack_padded_sequence(const Tensor& input, const Numbers& lengths, bool batch_first,
                                    bool enforce_sorted) {
  if (input.dim() < 2) {
    throw ShapeError("pack_padded_sequence: needs input [L, N, ...], or [N, L, ...] with batch_first, got " +
                     to_string(input.sizes()));
  }
  const int64_t batch = input.sizes()[batch_first ? 0 : 1], longest = input.sizes()[batch_first ? 1 : 0];
  if (static_cast<int64_t>(lengths.size()) != batch || batch == 0) {
    throw ShapeError(
        "pack_padded_sequence: needs one length for each sequence of the batch, which must have at least one, got " +
        std::to_string(lengths.size()) + " for input " + to_string(input.sizes()));
  }
  for (const int64_t length : lengths) {
    if (length < 1 || length > longest) {
      throw ValueError("pack_padded_sequence: lengths must be between 1 and the input's " + std::to_string(longest) +
                       ", got " + std::to_string(length));
    }
  }
  Numbers order(lengths.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto length = [&](int64_t n) { return lengths[static_cast<std::size_t>(n)]; };
  if (!enforce_sorted) {
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return length(a) > length(b); });
  } else if (!std::is_sorted(lengths.rbegin(), lengths.rend())) {
    throw ValueError("pack_padded_sequence: lengths must not increase; pass enforce_sorted = false to have the " +
                     std::string("sequences sorted, got ") + text_of(lengths));
  }
  Numbers rows, sizes;
  for (int64_t t = 0; t < length(order.front()); ++t) {
    const auto before = rows.size();
    for (const int64_t n : order) {
      if (length(n) <= t) break;
      rows.push_back(batch_first ? n * longest + t : t * batch + n);
    }
    sizes.push_back(static_cast<int64_t>(rows.size() - before));
  }
  Shape flat{batch * longest};
  for (int d = 2; d < input.sizes().rank(); ++d) flat.push_back(input.sizes()[d]);
  PackedSequence packed{index_select(reshape(input, flat), 0, indices(rows).to(input.device())), indices(sizes),
                        Tensor(), Tensor()};
  if (enforce_sorted) return packed;
  Numbers places(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) places[static_cast<std::size_t>(order[i])] = static_cast<int64_t>(i);
  packed.sorted_indices = indices(order);
  packed.unsorted_indices = indices(places);
  return packed;
}

std::pair<Tensor, Tensor> pad_packed_sequence(const PackedSequence& sequence, bool batch_first, double padding_value,
                                              std::optional<int64_t> total_length) {
  const Numbers sizes = batch_sizes_of("pad_packed_sequence", sequence);
  const int64_t longest = static_cast<int64_t>(sizes.size()), batch = sizes.front();
  const int64_t length = total_length.value_or(longest);
  if (length < longest) {
    throw ValueError("pad_packed_sequence: total_length must be at least the length of the longest sequence, got " +
                     std::to_string(length) + " for " + std::to_string(longest));
  }
  const Numbers lengths = lengths_of(sizes);
  Numbers places(lengths.size());
  std::iota(places.begin(), places.end(), int64_t{0});
  if (sequence.unsorted_indices.defined()) {
    places = numbers_of("pad_packed_sequence", "unsorted_indices", sequence.unsorted_indices);
    const bool inside = std::all_of(places.begin(), places.end(), [&](int64_t n) { return n >= 0 && n < batch; });
    if (static_cast<int64_t>(places.size()) != batch || !inside) {
      throw ValueError("pad_packed_sequence: unsorted_indices must be " + std::to_string(batch) +
                       " places of sequences, got " + text_of(places));
    }
  }
  Numbers starts{0};
  for (const int64_t size : sizes) starts.push_back(starts.back() + size);
  const int64_t padding = starts.back();  // the row that is put after the data
  Numbers rows(static_cast<std::size_t>(batch * length), padding), own;
  for (std::size_t n = 0; n < places.size(); ++n) {
    const int64_t place = places[n], count = lengths[static_cast<std::size_t>(place)];
    own.push_back(count);
    for (int64_t t = 0; t < count; ++t) {
      const int64_t at = batch_first ? static_cast<int64_t>(n) * length + t : t * batch + static_cast<int64_t>(n);
      rows[static_cast<std::size_t>(at)] = starts[static_cast<std::size_t>(t)] + place;
    }
  }
  Shape one = sequence.data.sizes();
  one[0] = 1;
  const Tensor fill = full(one, padding_value, {.dtype = sequence.data.dtype(), .device = sequence.data.device()});
  const Tensor padded =
      index_select(cat(std::vector<Tensor>{sequence.data, fill}, 0), 0, indices(rows).to(sequence.data.device()));
  const Shape shape = batch_first ? with_leading(batch, length, sequence.data.sizes(), 1)
                                  : with_leading(length, batch, sequence.data.sizes(), 1);
  return {view(padded, shape), indices(own)};
}

Tensor pad_sequence(const std::vector<Tensor>& sequences, bool batch_first, double padding_value,
                    const std::string& padding_side) {
  if (padding_side != "right" && padding_side != "left") {
    throw ValueError("pad_sequence: padding_side must be 'right' or 'left', got '" + padding_side + "'");
  }
  if (sequences.empty()) throw ValueError("pad_sequence: needs at least one sequence");
  int64_t longest = 0;
  for (const Tensor& s : sequences) {
    bool fits = s.dim() >= 1 && s.dim() == sequences[0].dim() && s.dtype() == sequences[0].dtype();
    for (int d = 1; fits && d < s.sizes().rank(); ++d) fits = s.sizes()[d] == sequences[0].sizes()[d];
    if (!fits) {
      throw ShapeError("pad_sequence: sequences must have the same type and the same sizes but for the first, got " +
                       to_string(sequences[0].sizes()) + " and " + to_string(s.sizes()));
    }
    longest = std::max(longest, s.sizes()[0]);
  }
  std::vector<Tensor> padded;
  for (const Tensor& s : sequences) {
    Shape missing = s.sizes();
    missing[0] = longest - s.sizes()[0];
    const Tensor fill = full(missing, padding_value, {.dtype = s.dtype(), .device = s.device()});
    const bool right = padding_side == "right";
    padded.push_back(missing[0] == 0 ? s : cat(std::vector<Tensor>{right ? s : fill, right ? fill : s}, 0));
  }
  return stack(padded, batch_first ? 0 : 1);
}

PackedSequence pack_sequence(const std::vector<Tensor>& sequences, bool enforce_sorted) {
  const Tensor padded = pad_sequence(sequences);
  Numbers lengths;
  for (const Tensor& s : sequences) lengths.push_back(s.sizes()[0]);
  return pack_padded_sequence(padded, lengths, false, enforce_sorted);
}

std::vector<Tensor> unpad_sequence(const Tensor& padded, const Tensor& lengths, bool batch_first) {
  const Numbers counts = numbers_of("unpad_sequence", "lengths", lengths);
  if (padded.dim() < 2 || padded.sizes()[batch_first ? 0 : 1] != static_cast<int64_t>(counts.size())) {
    throw ShapeError("unpad_sequence: needs one length for each sequence of the batch, got " +
                     std::to_string(counts.size()) + " for " + to_string(padded.sizes()));
  }
  std::vector<Tensor> sequences;
  for (std::size_t n = 0; n < counts.size(); ++n) {
    const Tensor one = select(padded, batch_first ? 0 : 1, static_cast<int64_t>(n));
    if (counts[n] < 0 || counts[n] > one.sizes()[0]) {
      throw ValueError("unpad_sequence: lengths must be between 0 and " + std::to_string(one.sizes()[0]) + ", got " +
                       std::to_string(counts[n]));
    }
    sequences.push_back(narrow(one, 0, 0, counts[n]));
  }
  return sequences;
}

std::vector<Tensor> unpack_sequence(const PackedSequence& packed) {
  const auto [padded, lengths] = pad_packed_sequence(packed);
  return unpad_sequence(padded, lengths);
}

}  // namespace gradus::nn::utils::rnn
