// Copies of the matrix product's operands in the order in which its tiles read them.
#pragma once

#include "kernels/gemm.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

// out[i, 0:columns] = in[0:columns, i] for i < rows, and zeros up to `width`: squares of lanes x lanes are transposed
// in registers. With width == columns (any number) nothing beyond is written.
template <class T>
void transpose_copy(T* out, Index out_stride, const T* in, Index in_stride, Index rows, Index columns, Index width) {
  constexpr int side = static_cast<int>(lanes<T>);
  for (Index j = 0; j < width; j += side) {
    const Index in_columns = columns - j < side ? columns - j : side;
    const Index out_columns = width - j < side ? width - j : side;
    for (Index i = 0; i < rows; i += side) {
      const Index in_rows = rows - i < side ? rows - i : side;
      const T* corner = in + j * in_stride + i;
      T* to = out + i * out_stride + j;
      Vec<T> square[side];
      if (in_rows == side && in_columns == side) {
#pragma GCC unroll 16
        for (int s = 0; s < side; ++s) square[s] = load(corner + s * in_stride);
      } else {
        for (int s = 0; s < side; ++s) {
          square[s] = s < in_columns ? load_partial(corner + s * in_stride, in_rows) : zero<T>();
        }
      }
      transpose<T>(square);
      if (in_rows == side && out_columns == side) {
#pragma GCC unroll 16
        for (int s = 0; s < side; ++s) store(to + s * out_stride, square[s]);
      } else {
        for (int s = 0; s < in_rows; ++s) store_partial(to + s * out_stride, square[s], out_columns);
      }
    }
  }
}

// pack[k, 0:width] = b[k, 0:columns], zeros beyond; rows of b contiguous.
template <class T>
void pack_rows_of(T* pack, const T* b, Index row_stride, Index depth, Index columns, Index width) {
  if (columns == width) {
    // The processor does not foresee short runs that lie far apart: asking ahead took 5 % off a training step.
    constexpr Index ahead = 16;
    for (Index k = 0; k < depth; ++k, b += row_stride, pack += width) {
      for (Index j = 0; j < width; j += lanes<T>) {
        __builtin_prefetch(b + j + ahead * row_stride);
        store(pack + j, load(b + j));
      }
    }
    return;
  }
  const Index whole = columns / lanes<T> * lanes<T>;
  for (Index k = 0; k < depth; ++k, b += row_stride, pack += width) {
    for (Index j = 0; j < whole; j += lanes<T>) store(pack + j, load(b + j));
    store(pack + whole, load_partial(b + whole, columns - whole));
  }
}

// A panel of B, (depth, columns), as rows of `width` elements: whole vectors.
template <class T>
void pack_panel(T* pack, Matrix<T> b, Index depth, Index columns, Index width) {
  if (b.column_stride == 1) return pack_rows_of(pack, b.data, b.row_stride, depth, columns, width);
  if (b.row_stride == 1) return transpose_copy(pack, width, b.data, b.column_stride, depth, columns, width);
  for (Index k = 0; k < depth; ++k) {
    for (Index j = 0; j < width; ++j) {
      pack[k * width + j] = j < columns ? b.data[k * b.row_stride + j * b.column_stride] : T(0);
    }
  }
}

// Asks for the part [begin, end) of a panel of B that will be packed soon.
template <class T>
void prefetch_panel(Matrix<T> b, Index depth, Index columns, Index part, Index parts) {
  constexpr Index line = 64 / static_cast<Index>(sizeof(T));
  const bool by_rows = b.column_stride == 1;
  const Index runs = by_rows ? depth : columns;
  const Index length = by_rows ? columns : depth;
  const Index stride = by_rows ? b.row_stride : b.column_stride;
  for (Index r = runs * part / parts; r < runs * (part + 1) / parts; ++r) {
    for (Index i = 0; i < length; i += line) __builtin_prefetch(b.data + r * stride + i, 0, 2);
  }
}

}  // namespace
}  // namespace flyball
