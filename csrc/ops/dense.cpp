#include <algorithm>

#include "flyball/ops.h"
#include "ops/columns.h"
#include "runtime/cpu.h"

namespace flyball {
namespace {

// Measured: about 100 multiply-adds a nanosecond with AVX2 upwards.
constexpr double nanoseconds_per_multiply_add = 0.02;

template <class T>
Matrix<T> operand(const T* data, bool transpose, Index rows, Index columns) {
  return transpose ? Matrix<T>{data, 1, rows} : Matrix<T>{data, columns, 1};
}

// Rows, in tiles, whose product is activated before the next are computed. The kernel packs B anew for as many rows
// anyway.
constexpr Index activated_tiles = 20;

// C is cut into a grid of shares, columns first: a share of columns packs only its own panels of B.
// Any partition gives the same bits (see GemmKernels::gemm), so it may depend on the team.
struct Share {
  Range rows;
  Range columns;
};

Range aligned(Index parts, Index part, Index size, Index unit) {
  const Index units = (size + unit - 1) / unit;
  const auto at = [&](Index i) {
    const Index edge = units * i / parts * unit;
    return edge < size ? edge : size;
  };
  return {at(part), at(part + 1)};
}

// The share of one thread. Of all grids (rows x columns of threads) the one whose largest share is smallest.
Share share_of(const Team& team, Index m, Index n, Index tile_rows, Index tile_columns) {
  Index best_columns = 1;
  Index best_tiles = -1;
  for (Index columns = team.size(); columns >= 1; --columns) {
    if (team.size() % columns != 0) continue;
    const Index rows = team.size() / columns;
    const Index row_tiles = (m + tile_rows - 1) / tile_rows;
    const Index column_tiles = (n + tile_columns - 1) / tile_columns;
    const Index tiles = ((row_tiles + rows - 1) / rows) * ((column_tiles + columns - 1) / columns);
    if (best_tiles < 0 || tiles < best_tiles) {
      best_tiles = tiles;
      best_columns = columns;
    }
  }
  const Index best_rows = team.size() / best_columns;
  return {aligned(best_rows, team.rank() / best_columns, m, tile_rows),
          aligned(best_columns, team.rank() % best_columns, n, tile_columns)};
}

// db = sum(dy): threads share the columns. Within a block of rows sums run in T, the blocks are added in double.
template <class T>
void bias_gradient(const Team& team, T* db, const T* dy, Index n, Index c) {
  constexpr Index block_rows = 256;
  constexpr Index strip_columns = 512;
  double* sum = team.scratch<double>();
  const Range mine = columns_of<T>(team, c);
  for (Index j = mine.begin; j < mine.end; j += strip_columns) {
    const Index width = std::min(strip_columns, mine.end - j);
    std::fill_n(sum, width, 0.0);
    for (Index i = 0; i < n; i += block_rows) {
      kernels<T>().norm.column_sums(sum, dy + i * c + j, c, std::min(block_rows, n - i), width);
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
void matmul(Team& team, T* c, const T* a, const T* b, const T* bias, bool transpose_a, bool transpose_b, Index m,
            Index n, Index k, ActivationParams activation) {
  const GemmKernels<T>& kernel = kernels<T>().gemm;
  const Share share = share_of(team, m, n, kernel.tile_rows, kernel.tile_columns);
  if (share.rows.size() == 0 || share.columns.size() == 0) return;
  Matrix<T> left = operand(a, transpose_a, m, k);
  Matrix<T> right = operand(b, transpose_b, k, n);
  left.data += share.rows.begin * left.row_stride;
  right.data += share.columns.begin * right.column_stride;
  T* product = c + share.rows.begin * n + share.columns.begin;
  const T* share_bias = bias == nullptr ? nullptr : bias + share.columns.begin;
  if (activation.kind == Activation::linear || activation.kind == Activation::relu) {
    kernel.gemm(product, n, left, right, share_bias, activation.kind, share.rows.size(), share.columns.size(), k,
                team.scratch<T>());
    return;
  }
  // The kernel includes no other: they follow row by row while a block of rows is in the cache.
  const Index block = activated_tiles * kernel.tile_rows;
  for (Index i = 0; i < share.rows.size(); i += block) {
    const Index rows = std::min(block, share.rows.size() - i);
    kernel.gemm(product + i * n, n, {left.data + i * left.row_stride, left.row_stride, left.column_stride}, right,
                share_bias, Activation::linear, rows, share.columns.size(), k, team.scratch<T>());
    for (Index row = i; row < i + rows; ++row) {
      T* y = product + row * n;
      kernels<T>().activation.activation_forward(y, y, share.columns.size(), activation);
    }
  }
}

template <class T>
void dense_forward(Team& team, T* y, const T* x, const T* w, const T* b, Index n, Index k, Index c,
                   ActivationParams activation) {
  matmul(team, y, x, w, b, false, false, n, c, k, activation);
}

template <class T>
void dense_backward(Team& team, T* dx, T* dw, T* db, const T* dy, const T* x, const T* w, Index n, Index k, Index c) {
  constexpr ActivationParams linear{Activation::linear, 0.0};
  if (dw != nullptr) matmul<T>(team, dw, x, dy, nullptr, true, false, k, c, n, linear);
  if (dx != nullptr) matmul<T>(team, dx, dy, w, nullptr, false, true, n, k, c, linear);
  if (db != nullptr) bias_gradient(team, db, dy, n, c);
}

#define FLYBALL_INSTANTIATE(T)                                                                                      \
  template void matmul(Team&, T*, const T*, const T*, const T*, bool, bool, Index, Index, Index, ActivationParams); \
  template void dense_forward(Team&, T*, const T*, const T*, const T*, Index, Index, Index, ActivationParams);      \
  template void dense_backward(Team&, T*, T*, T*, const T*, const T*, const T*, Index, Index, Index);
FLYBALL_INSTANTIATE(float)
FLYBALL_INSTANTIATE(double)
#undef FLYBALL_INSTANTIATE

}  // namespace flyball
