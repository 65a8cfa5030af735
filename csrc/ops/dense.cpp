#include <algorithm>

#include "flyball/ops.h"
#include "ops/columns.h"
#include "runtime/cpu.h"

namespace flyball {
namespace {

// Measured: about 100 multiply-adds a nanosecond with AVX2 upwards.
constexpr double nanoseconds_per_multiply_add = 0.02;

// Rows whose product is activated before the next are computed: about what the kernel keeps in the second-level cache.
constexpr Index activated_rows = 240;

// C is cut into a grid of shares. Any partition gives the same bits (see GemmKernels::gemm), so it may depend on the
// team.
struct Share {
  Range rows;
  Range columns;
};

Range part_of(Index size, Index unit, Index part, Index parts) {
  const Index units = (size + unit - 1) / unit;
  return {std::min(units * part / parts * unit, size), std::min(units * (part + 1) / parts * unit, size)};
}

// The share of one thread. Of all grids (rows x columns of threads) the one whose largest share takes least time: a
// thread packs its own panels of B, which takes as long as `packing` rows of C.
Share share_of(const Team& team, Index m, Index n, Index tile_columns) {
  constexpr Index packing = 8;
  Index best_columns = 1;
  Index best_work = -1;
  for (Index columns = 1; columns <= team.size(); ++columns) {
    if (team.size() % columns != 0) continue;
    const Index rows = team.size() / columns;
    const Index tiles = (n + tile_columns - 1) / tile_columns;
    const Index work = ((m + rows - 1) / rows + packing) * ((tiles + columns - 1) / columns);
    if (best_work < 0 || work < best_work) {
      best_work = work;
      best_columns = columns;
    }
  }
  const Index best_rows = team.size() / best_columns;
  return {part_of(m, 1, team.rank() / best_columns, best_rows),
          part_of(n, tile_columns, team.rank() % best_columns, best_columns)};
}

// The block (rows, columns) of dy at (i, j): itself where its rows are consecutive, else a copy.
template <class T>
const T* consecutive(T* copy, Matrix<T> dy, Index i, Index j, Index rows, Index columns) {
  const T* from = dy.data + i * dy.row_stride + j * dy.column_stride;
  if (dy.column_stride == 1) return from;
  for (Index c = 0; c < columns; ++c) {
    for (Index r = 0; r < rows; ++r) copy[r * columns + c] = from[r * dy.row_stride + c * dy.column_stride];
  }
  return copy;
}

// db = sum(dy): threads share the columns. Within a block of rows sums run in T, the blocks are added in double.
template <class T>
void bias_gradient(const Team& team, T* db, Matrix<T> dy, Index n, Index c) {
  constexpr Index block_rows = 256;
  constexpr Index most_columns = 512;
  const bool copied = dy.column_stride != 1;
  const Index strip_columns = copied ? 64 : most_columns;
  double* sum = team.scratch<double>();
  T* copy = reinterpret_cast<T*>(sum + most_columns);
  const Range mine = columns_of<T>(team, c);
  for (Index j = mine.begin; j < mine.end; j += strip_columns) {
    const Index width = std::min(strip_columns, mine.end - j);
    std::fill_n(sum, width, 0.0);
    for (Index i = 0; i < n; i += block_rows) {
      const Index rows = std::min(block_rows, n - i);
      const T* block = consecutive(copy, dy, i, j, rows, width);
      kernels<T>().norm.column_sums(sum, block, copied ? width : dy.row_stride, rows, width);
    }
    std::transform(sum, sum + width, db + j, [](double s) { return static_cast<T>(s); });
  }
}

}  // namespace

double matmul_cost(Index m, Index n, Index k) {
  return nanoseconds_per_multiply_add * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
}

double dense_backward_cost(Index n, Index k, Index c) { return 2 * matmul_cost(n, k, c); }

template <class T>
void matmul(Team& team, T* c, Matrix<T> a, Matrix<T> b, const T* bias, Index m, Index n, Index k,
            ActivationParams activation) {
  const GemmKernels<T>& kernel = kernels<T>().gemm;
  const auto [rows, columns] = share_of(team, m, n, kernel.tile_columns);
  if (rows.size() == 0 || columns.size() == 0) return;
  a.data += rows.begin * a.row_stride;
  b.data += columns.begin * b.column_stride;
  T* product = c + rows.begin * n + columns.begin;
  const T* share_bias = bias == nullptr ? nullptr : bias + columns.begin;
  if (activation.kind == Activation::linear || activation.kind == Activation::relu) {
    kernel.gemm(product, n, a, b, share_bias, activation.kind, rows.size(), columns.size(), k, team.scratch<T>());
    return;
  }
  // The kernel includes no other: they follow row by row while a block of rows is in the cache.
  for (Index i = 0; i < rows.size(); i += activated_rows) {
    const Index height = std::min(activated_rows, rows.size() - i);
    kernel.gemm(product + i * n, n, {a.data + i * a.row_stride, a.row_stride, a.column_stride}, b, share_bias,
                Activation::linear, height, columns.size(), k, team.scratch<T>());
    for (Index row = i; row < i + height; ++row) {
      T* y = product + row * n;
      kernels<T>().activation.activation_forward(y, y, columns.size(), activation);
    }
  }
}

template <class T>
void dense_forward(Team& team, T* y, Matrix<T> x, Matrix<T> w, const T* b, Index n, Index k, Index c,
                   ActivationParams activation) {
  matmul(team, y, x, w, b, n, c, k, activation);
}

template <class T>
void dense_backward(Team& team, T* dx, T* dw, T* db, Matrix<T> dy, Matrix<T> x, Matrix<T> w, Index n, Index k,
                    Index c) {
  constexpr ActivationParams linear{Activation::linear, 0.0};
  if (dw != nullptr) matmul<T>(team, dw, x.transposed(), dy, nullptr, k, c, n, linear);
  if (dx != nullptr) matmul<T>(team, dx, dy, w.transposed(), nullptr, n, k, c, linear);
  if (db != nullptr) bias_gradient(team, db, dy, n, c);
}

#define FLYBALL_INSTANTIATE(T)                                                                                   \
  template void matmul(Team&, T*, Matrix<T>, Matrix<T>, const T*, Index, Index, Index, ActivationParams);        \
  template void dense_forward(Team&, T*, Matrix<T>, Matrix<T>, const T*, Index, Index, Index, ActivationParams); \
  template void dense_backward(Team&, T*, T*, T*, Matrix<T>, Matrix<T>, Matrix<T>, Index, Index, Index);
FLYBALL_INSTANTIATE(float)
FLYBALL_INSTANTIATE(double)
#undef FLYBALL_INSTANTIATE

}  // namespace flyball
