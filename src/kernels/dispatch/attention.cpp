#include "kernels/dispatch/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/threads/parallel.h"
#include "core/visit.h"
#include "kernels/cpu/norm/attention_rows.h"
#include "kernels/cpu/random/random.h"
#include "kernels/dispatch/gemm.h"
#include "kernels/math.h"
#include "kernels/scratch.h"

namespace gradus::cpu {

namespace {

using kernel::Attention;
using kernel::HeadRows;
using kernel::Scratch;
using std::int64_t;

// A block of scores stays in the second cache.
constexpr int64_t kQueries = 128, kKeys = 256;
// Pieces that backward makes at least, where there are few heads and many keys.
constexpr int64_t kPieces = 16;

template <class T>
struct Rows {
  T* data;
  int64_t step;
  T* at(int64_t row) const { return data + row * step; }
};

template <class T>
Rows<T> rows_of(const HeadRows& x, int64_t sample, int64_t head) {
  return {static_cast<T*>(x.data) + sample * x.batch + head * x.head, x.row};
}

int64_t blocks(int64_t length, int64_t each) { return (length + each - 1) / each; }

// A head of a sample.
template <class T>
struct Head {
  const Attention& a;
  int64_t sample, head;
  Rows<T> q = rows_of<T>(a.q, sample, head);
  Rows<T> k = rows_of<T>(a.k, sample, head / a.shared), v = rows_of<T>(a.v, sample, head / a.shared);

  int64_t first_row() const { return (sample * a.heads + head) * a.queries; }  // among those of all heads
  T* log_sums() const { return static_cast<T*>(a.log_sums) + first_row(); }

  // Scores of queries [i, i + rows) and keys [j, j + columns), in rows of kKeys.
  void scores(int64_t i, int64_t rows, int64_t j, int64_t columns, T* s) const {
    gemm(false, true, rows, columns, a.width, static_cast<T>(a.scale), q.at(i), q.step, k.at(j), k.step, T(0), s,
         kKeys);
    if (a.mask != nullptr) {
      const int64_t at = sample * a.mask_batch + head * a.mask_head + i * a.mask_row + j * a.mask_column;
      if (a.mask_is_bool)
        hide_unseen(s, kKeys, rows, columns, static_cast<const std::uint8_t*>(a.mask) + at, a.mask_row, a.mask_column);
      else
        add_mask(s, kKeys, rows, columns, static_cast<const T*>(a.mask) + at, a.mask_row, a.mask_column);
    }
    if (a.causal && j + columns > i + 1) hide_later(s, kKeys, rows, columns, i - j);
  }
};

// Which weights of a block stay, in rows of kKeys. Random numbers come in groups of 64.
class Dropped {
 public:
  explicit Dropped(const Attention& a) : a_(a), kept_(a.dropout > 0 ? kQueries * kKeys + 64 : 0) {}
  explicit operator bool() const { return a_.dropout > 0; }

  const std::uint8_t* draw(std::int64_t first_row, std::int64_t rows, std::int64_t j, std::int64_t columns) const {
    constexpr std::int64_t group = 64;
    std::uint8_t row[kKeys + group];
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t start = (first_row + r) * a_.keys + j, begin = start / group * group;
      const std::uint64_t offset = a_.random.offset + kernel::uniform_blocks(begin, 4);
      fill_bernoulli({a_.random.seed, offset}, row, start - begin + columns, 1 - a_.dropout);
      std::copy_n(row + (start - begin), columns, kept_.get() + r * kKeys);
    }
    return kept_.get();
  }
  template <class T>
  T scale() const {
    return a_.dropout < 1 ? static_cast<T>(1 / (1 - a_.dropout)) : T(0);
  }

 private:
  const Attention& a_;
  Scratch<std::uint8_t> kept_;
};

template <class T>
void forward(const Attention& a) {
  const int64_t per_head = blocks(a.queries, kQueries);
  core::parallel_for(a.batch * a.heads * per_head, 1, [&](int64_t begin, int64_t end) {
    const Scratch<T> s(kQueries * kKeys);
    const Dropped dropped(a);
    T top[kQueries], sums[kQueries], factors[kQueries];
    for (int64_t piece = begin; piece < end; ++piece) {
      const Head<T> h{a, piece / per_head / a.heads, piece / per_head % a.heads};
      const int64_t i = piece % per_head * kQueries, rows = std::min(kQueries, a.queries - i);
      const Rows<T> y = rows_of<T>(a.y, h.sample, h.head);
      std::fill_n(top, rows, -std::numeric_limits<T>::infinity());
      std::fill_n(sums, rows, T(0));
      const int64_t last = a.causal ? std::min(a.keys, i + rows) : a.keys;
      for (int64_t j = 0; j < last; j += kKeys) {
        const int64_t columns = std::min(kKeys, last - j);
        h.scores(i, rows, j, columns, s.get());
        softmax_block(s.get(), kKeys, rows, columns, top, sums, factors);
        if (dropped)
          drop_weights(s.get(), kKeys, rows, columns, dropped.draw(h.first_row() + i, rows, j, columns),
                       dropped.scale<T>());
        if (j > 0) scale_rows(y.at(i), y.step, rows, a.value_width, factors, false);
        gemm(false, false, rows, a.value_width, columns, T(1), s.get(), kKeys, h.v.at(j), h.v.step, T(j > 0 ? 1 : 0),
             y.at(i), y.step);
      }
      scale_rows(y.at(i), y.step, rows, a.value_width, sums, true);
      T* log_sums = h.log_sums() + i;
      for (int64_t r = 0; r < rows; ++r)
        log_sums[r] = sums[r] == 0 ? std::numeric_limits<T>::infinity() : top[r] + math::log(sums[r]);
    }
  });
}

// The gradients of one head of k and v, of keys [first, last), and what these add to that of q.
template <class T>
class Backward {
 public:
  Backward(const Attention& a, const T* dots)
      : a_(a), dots_(dots), p_(kQueries * kKeys), gp_(kQueries * kKeys), dropped_(a) {}

  void run(int64_t sample, int64_t key_head, int64_t first, int64_t last, const HeadRows& gq) {
    const Rows<T> gk = rows_of<T>(a_.gk, sample, key_head), gv = rows_of<T>(a_.gv, sample, key_head);
    for (int64_t j = first; j < last; j += kKeys) {
      const int64_t columns = std::min(kKeys, last - j);
      bool add = false;  // to the gradients of these keys
      for (int64_t head = key_head * a_.shared; head < (key_head + 1) * a_.shared; ++head) {
        const Head<T> h{a_, sample, head};
        // Queries before the keys do not see them.
        for (int64_t i = a_.causal ? j / kQueries * kQueries : 0; i < a_.queries; i += kQueries) {
          block(h, i, j, columns, rows_of<T>(gq, sample, head), gk, gv, add);
          add = true;
        }
      }
      if (!add) {  // keys after the last query
        if (gk.data != nullptr) clear(gk, j, columns, a_.width);
        if (gv.data != nullptr) clear(gv, j, columns, a_.value_width);
      }
    }
  }

 private:
  static void clear(const Rows<T>& to, int64_t first, int64_t count, int64_t width) {
    for (int64_t r = 0; r < count; ++r) std::fill_n(to.at(first + r), width, T(0));
  }

  void block(const Head<T>& h, int64_t i, int64_t j, int64_t columns, const Rows<T>& gq, const Rows<T>& gk,
             const Rows<T>& gv, bool add) {
    const int64_t rows = std::min(kQueries, a_.queries - i);
    const Rows<T> g = rows_of<T>(a_.g, h.sample, h.head);
    h.scores(i, rows, j, columns, p_.get());
    gemm(false, true, rows, columns, a_.value_width, T(1), g.at(i), g.step, h.v.at(j), h.v.step, T(0), gp_.get(),
         kKeys);
    const std::uint8_t* kept = dropped_ ? dropped_.draw(h.first_row() + i, rows, j, columns) : nullptr;
    if (dropped_) drop_weights(gp_.get(), kKeys, rows, columns, kept, dropped_.scale<T>());
    softmax_block_backward(p_.get(), gp_.get(), kKeys, rows, columns, h.log_sums() + i, dots_ + h.first_row() + i,
                           static_cast<T>(a_.scale));
    if (dropped_) drop_weights(p_.get(), kKeys, rows, columns, kept, dropped_.scale<T>());
    const T beta = add ? 1 : 0;
    if (gv.data != nullptr)
      gemm(true, false, columns, a_.value_width, rows, T(1), p_.get(), kKeys, g.at(i), g.step, beta, gv.at(j), gv.step);
    if (gk.data != nullptr)
      gemm(true, false, columns, a_.width, rows, T(1), gp_.get(), kKeys, h.q.at(i), h.q.step, beta, gk.at(j), gk.step);
    if (gq.data != nullptr)
      gemm(false, false, rows, a_.width, columns, T(1), gp_.get(), kKeys, h.k.at(j), h.k.step, T(1), gq.at(i), gq.step);
  }

  const Attention& a_;
  const T* dots_;
  Scratch<T> p_, gp_;
  Dropped dropped_;
};

template <class T>
void backward(const Attention& a) {
  const int64_t rows = a.batch * a.heads * a.queries, key_heads = a.heads / a.shared;
  const Scratch<T> dots(rows);
  core::parallel_for(a.batch * a.heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at) {
      const Rows<T> g = rows_of<T>(a.g, at / a.heads, at % a.heads), y = rows_of<T>(a.y, at / a.heads, at % a.heads);
      dot_rows<T>(g.data, g.step, y.data, y.step, a.queries, a.value_width, dots.get() + at * a.queries);
      const Rows<T> gq = rows_of<T>(a.gq, at / a.heads, at % a.heads);
      for (int64_t r = 0; r < a.queries && a.gq.data != nullptr; ++r) std::fill_n(gq.at(r), a.width, T(0));
    }
  });
  // The keys of a head may be cut into parts, which then add to gradients of q of their own: sizes alone say so.
  const int64_t key_blocks = blocks(a.keys, kKeys);
  const int64_t parts = std::min(key_blocks, blocks(kPieces, a.batch * key_heads));
  const int64_t elements = a.gq.data != nullptr ? rows * a.width : 0;
  const Scratch<T> others((parts - 1) * elements);
  core::parallel_for(a.batch * key_heads * parts, 1, [&](int64_t begin, int64_t end) {
    Backward<T> work(a, dots.get());
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t part = piece % parts, sample = piece / parts / key_heads, key_head = piece / parts % key_heads;
      HeadRows gq = a.gq;
      if (part > 0 && elements > 0) {
        gq = {others.get() + (part - 1) * elements, a.heads * a.queries * a.width, a.queries * a.width, a.width};
        const int64_t length = a.shared * a.queries * a.width;
        std::fill_n(static_cast<T*>(gq.data) + sample * gq.batch + key_head * length, length, T(0));
      }
      const auto bound = [&](int64_t i) { return std::min(a.keys, key_blocks * i / parts * kKeys); };
      work.run(sample, key_head, bound(part), bound(part + 1), gq);
    }
  });
  if (parts == 1 || elements == 0) return;
  core::parallel_for(a.batch * a.heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at) {
      const Rows<T> gq = rows_of<T>(a.gq, at / a.heads, at % a.heads);
      for (int64_t part = 1; part < parts; ++part) {
        const T* more = others.get() + (part - 1) * elements + at * a.queries * a.width;
        for (int64_t r = 0; r < a.queries; ++r)
          for (int64_t e = 0; e < a.width; ++e) gq.at(r)[e] += more[r * a.width + e];
      }
    }
  });
}

}  // namespace

void attention(const Attention& a) {
  visit<float, double>("scaled_dot_product_attention", a.dtype, [&]<class T>(T) { forward<T>(a); });
}

void attention_backward(const Attention& a) {
  visit<float, double>("scaled_dot_product_attention", a.dtype, [&]<class T>(T) { backward<T>(a); });
}

}  // namespace gradus::cpu
