// Copies of parts of A and B in the order in which tiles (tile.kernel.h) read them.
#pragma once

#include "kernels/simd.h"
#include "kernels/transpose.kernel.h"

namespace flyball {
namespace {

// The size of parts of about the same size, in whole units, none above `most`: a small last one would pack all of B, or
// read all of C, for little.
constexpr Index even_part(Index size, Index most, Index unit) {
  const Index parts = (size + most - 1) / most;
  return parts < 2 ? size : ((size + parts - 1) / parts + unit - 1) / unit * unit;
}

// --- panels of B ---

constexpr Index line_bytes = 64;

FLYBALL_INLINE bool begins_at_line(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % line_bytes == 0; }

// pack[k, 0:width] = b[k, 0:columns], zeros beyond, which may be whole vectors; rows of b contiguous.
template <class T>
void pack_rows_of(T* pack, const T* b, Index row_stride, Index depth, Index columns, Index width) {
  // The processor does not foresee short runs that lie far apart.
  constexpr Index ahead = 16;
  for (Index k = 0; k < depth; ++k, b += row_stride, pack += width) {
    for (Index j = 0; j < width; j += lanes<T>) {
      __builtin_prefetch(b + j + ahead * row_stride);
      const Index left = columns - j;
      store(pack + j, left >= lanes<T> ? load(b + j) : left > 0 ? load_partial(b + j, left) : zero<T>());
    }
  }
}

// The same of a transposed b, whose columns are contiguous.
template <class T>
void pack_columns_of(T* pack, const T* b, Index column_stride, Index depth, Index columns, Index width) {
  constexpr int side = static_cast<int>(lanes<T>);
  for (Index j = 0; j < width; j += side) {
    for (Index k = 0; k < depth; k += side) {
      const Index in_depth = depth - k < side ? depth - k : side;
      const Index in_columns = columns - j < side ? columns - j : side;
      const T* corner = b + j * column_stride + k;
      T* out = pack + k * width + j;
      const bool whole = in_depth == side && in_columns == side;
#if defined(__AVX512F__)
      if (whole) {
        transpose_square(out, width, corner, column_stride);
        continue;
      }
#endif
      Vec<T> square[side];
      if (whole) {
#pragma GCC unroll 16
        for (int i = 0; i < side; ++i) square[i] = load(corner + i * column_stride);
      } else {
        for (int i = 0; i < side; ++i) {
          square[i] = i < in_columns ? load_partial(corner + i * column_stride, in_depth) : zero<T>();
        }
      }
      transpose<T>(square);
      if (in_depth == side) {
#pragma GCC unroll 16
        for (int i = 0; i < side; ++i) store(out + i * width, square[i]);
      } else {
        for (int i = 0; i < in_depth; ++i) store(out + i * width, square[i]);
      }
    }
  }
}

template <class T>
void pack_panel(T* pack, const T* b, Matrix<T> layout, Index depth, Index columns, Index width) {
  if (layout.column_stride == 1) return pack_rows_of(pack, b, layout.row_stride, depth, columns, width);
  if (layout.row_stride == 1) return pack_columns_of(pack, b, layout.column_stride, depth, columns, width);
  for (Index k = 0; k < depth; ++k) {
    for (Index j = 0; j < width; ++j) {
      pack[k * width + j] = j < columns ? b[k * layout.row_stride + j * layout.column_stride] : T(0);
    }
  }
}

// --- tiles of A ---

// Rows of A contiguous: whole vectors of each row of a tile in turn. Short runs again: the next tile is asked for.
template <int tile_rows, class T>
void pack_tiles_by_rows(T* out, Matrix<T> a, Index m, Index depth, Index tile_stride) {
  constexpr Index line = 64 / static_cast<Index>(sizeof(T));
  for (Index i = 0; i + tile_rows <= m; i += tile_rows, out += tile_stride) {
    for_each_vector<T>(depth, [&](auto part, Index k) {
      const T* from = a.data + i * a.row_stride + k;
#pragma GCC unroll 16
      for (Index row = 0; row < tile_rows; ++row) {
        if (k % line == 0) __builtin_prefetch(from + (row + tile_rows) * a.row_stride);
        store(out + k * tile_rows + row * lanes<T>, part.load(from + row * a.row_stride));
      }
    });
  }
}

// Columns of A contiguous: a tile's rows of each column in turn. The last vector of a column reaches into the next,
// which is written later, and that of the last between the tiles.
template <int tile_rows, class T>
void pack_tiles_by_columns(T* out, Matrix<T> a, Index m, Index depth, Index tile_stride) {
  constexpr Index group = 16;
  constexpr Index last = tile_rows % lanes<T> == 0 ? lanes<T> : tile_rows % lanes<T>;
  for (Index k0 = 0; k0 < depth; k0 += group) {
    const Index end = depth - k0 < group ? depth : k0 + group;
    for (Index i = 0; i + tile_rows <= m; i += tile_rows) {
      const T* from = a.data + i + k0 * a.column_stride;
      T* to = out + i / tile_rows * tile_stride + k0 * tile_rows;
      for (Index k = k0; k < end; ++k, from += a.column_stride, to += tile_rows) {
#pragma GCC unroll 4
        for (Index j = 0; j + last < tile_rows; j += lanes<T>) store(to + j, load(from + j));
        store(to + tile_rows - last, load_partial(from + tile_rows - last, last));
      }
    }
  }
}

}  // namespace
}  // namespace flyball
