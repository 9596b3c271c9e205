// What attention does with blocks of scores, between its products of matrices: loops over rows that lie `width`
// elements apart.
#pragma once

#include <cstdint>

namespace gradus::cpu {

// scores += added[r * row + j * column], or -inf where `seen` is 0.
template <class T>
void add_mask(T* scores, std::int64_t width, std::int64_t rows, std::int64_t columns, const T* added, std::int64_t row,
              std::int64_t column);
template <class T>
void hide_unseen(T* scores, std::int64_t width, std::int64_t rows, std::int64_t columns, const std::uint8_t* seen,
                 std::int64_t row, std::int64_t column);
// -inf where the column is past `first` + r.
template <class T>
void hide_later(T* scores, std::int64_t width, std::int64_t rows, std::int64_t columns, std::int64_t first);

// Softmax of rows whose columns come block after block: scores become exp(score - largest so far), top and sums go on,
// and factors are what sums before this block, and what was made with them, shrink by. At first top is -inf and sums 0.
template <class T>
void softmax_block(T* scores, std::int64_t width, std::int64_t rows, std::int64_t columns, T* top, T* sums, T* factors);
// y[r] *= factors[r], or where `inverse` y[r] /= factors[r], zero where that is 0.
template <class T>
void scale_rows(T* y, std::int64_t width, std::int64_t rows, std::int64_t columns, const T* factors, bool inverse);

// p times `scale`, or 0 where `kept` is; its rows lie as those of p.
template <class T>
void drop_weights(T* p, std::int64_t width, std::int64_t rows, std::int64_t columns, const std::uint8_t* kept, T scale);

// scores become p = exp(score - log_sums[r]), and gp p (gp - dots[r]) scale.
template <class T>
void softmax_block_backward(T* scores, T* gp, std::int64_t width, std::int64_t rows, std::int64_t columns,
                            const T* log_sums, const T* dots, T scale);
// dots[r] = sum over a[r] b[r].
template <class T>
void dot_rows(const T* a, std::int64_t a_width, const T* b, std::int64_t b_width, std::int64_t rows,
              std::int64_t columns, T* dots);

}  // namespace gradus::cpu
