// Matrix products past which B is streamed from the second-level cache.
//
// The rows of a tile of A, in the first-level cache, meet all panels of B in turn; those are read in place where their
// rows are contiguous, a few steps ahead. With 32 vector registers a row of a panel is asked for every twelve cycles,
// and nothing is waited for: on a Xeon with AVX-512 such a loop reached 97 % of the peak, where packing B took 13 to 15
// % of a product of 128 rows, at 4.5 cycles for each line copied.
#pragma once

#include "kernels/pack.kernel.h"
#include "kernels/tile.kernel.h"

namespace flyball {
namespace {

// A tile of A takes 15 KiB of the first-level cache at most. With 256 products took as long, with 400 up to 3 % longer,
// and with 520 up to 10 %.
constexpr Index most_depth = 320;

// Elements of a group of columns of B that stay in the second-level cache, of 1 MiB or more, while the rows of A pass
// by.
template <class T>
constexpr Index group_elements = 560 * 1024 / static_cast<Index>(sizeof(T));

// Scratch: a group of packed panels, the panel of the columns that are left, which fill none, and a tile of A.
template <class T>
constexpr Index panel_elements = most_depth * tile_columns<T>;
template <class T>
constexpr std::size_t pack_bytes = (group_elements<T> + panel_elements<T> + tile_stride<T>(most_depth)) * sizeof(T);

// From so many rows on panels are read often enough to pay for packing them.
constexpr Index pack_rows = 40 * tile_rows;

// And of a B that spans so many bytes, as its rows are pages apart and come from far away, from fewer rows on: products
// of 128 and 256 rows with (2048, 2048) took 0.75 to 0.96 of the time, with half of that up to 1.09.
constexpr Index far_bytes = 16 * 1024 * 1024;
constexpr Index pack_far_rows = 8 * tile_rows;

// Of 4, 6, 8, 12 and 16 rows, 4 and 16 were slower for some sizes, and 8 where rows of B are about 300 bytes.
using StreamedB = FarB<6, false>;

// Panels of B, each one tile wide: in place, or packed.
template <class T>
struct Panels {
  const T* data;
  Index row_stride;
  Index stride;  // from one to the next
};

// A group of columns of B over one block of k: whole panels, and what is left of its columns.
template <class T>
struct GroupOfB {
  Panels<T> panels;
  Panels<T> rest;
  Index columns;

  Index whole() const { return columns - columns % tile_columns<T>; }
};

template <class T>
bool packs(Matrix<T> b, Index m, Index k) {
  const bool far = b.row_stride * k * static_cast<Index>(sizeof(T)) >= far_bytes;
  return b.column_stride != 1 || m >= (far ? pack_far_rows : pack_rows);
}

template <class T>
GroupOfB<T> group_of(Matrix<T> b, bool packed, Index columns, Index depth, T* pack) {
  GroupOfB<T> group{{b.data, b.row_stride, tile_columns<T>}, {}, columns};
  const Index whole = group.whole();
  if (packed) {
    group.panels = {pack, tile_columns<T>, tile_columns<T> * depth};
    for (Index j = 0; j < whole; j += tile_columns<T>) {
      pack_panel(pack + j * depth, b.data + j * b.column_stride, b, depth, tile_columns<T>, tile_columns<T>);
    }
  }
  if (whole == columns) return group;
  const Index left = columns - whole;
  const Index width = left > lanes<T> ? tile_columns<T> : lanes<T>;
  if (left == width && b.column_stride == 1) {
    group.rest = {b.data + whole, b.row_stride, 0};
    return group;
  }
  T* const pack_rest = pack + group_elements<T>;
  pack_panel(pack_rest, b.data + whole * b.column_stride, b, depth, left, width);
  group.rest = {pack_rest, width, 0};
  return group;
}

template <int VECTORS, class T>
void tile_of_rows(const TileTask<T>& task, Index rows, Index chunk) {
  if (rows == tile_rows) {
    whole_tile<StreamedB, VECTORS>(task, chunk);
  } else {
    tile_of<StreamedB, tile_rows, VECTORS>(rows, task);
  }
}

// Some rows of A, a whole tile or fewer, times a group; `more` tells whether the rows of another whole tile follow.
template <class T>
void rows_product(TileTask<T> task, const GroupOfB<T>& b, Index rows, Index chunk, bool more) {
  T* const c = task.c;
  const Epilogue<T> epilogue = task.epilogue;
  const Index whole = b.whole();
  task.columns = lanes<T>;
  task.b = b.panels.data;
  task.ldb = b.panels.row_stride;
  for (Index j = 0; j < whole; j += tile_columns<T>, task.b += b.panels.stride) {
    task.c = c + j;
    task.epilogue = epilogue.from(j);
    if (rows == tile_rows) ask_for_next(task, c, j + tile_columns<T> == whole, more);
    tile_of_rows<2>(task, rows, chunk);
  }
  const Index left = b.columns - whole;
  if (left == 0) return;
  task.c = c + whole;
  task.epilogue = epilogue.from(whole);
  task.b = b.rest.data;
  task.ldb = b.rest.row_stride;
  if (left > lanes<T>) {
    task.columns = left - lanes<T>;
    tile_of_rows<2>(task, rows, chunk);
  } else {
    task.columns = left;
    tile_of_rows<1>(task, rows, chunk);
  }
}

// One block of k for a group of columns. `task` says what is the same for all tiles; c and epilogue are the group's.
template <class T>
void group_product(TileTask<T> task, Matrix<T> a, const GroupOfB<T>& b, Index m, T* pack) {
  T* const c = task.c;
  const Epilogue<T> epilogue = task.epilogue;
  const Index whole = whole_tile_rows(m);
  const Index chunk_of_tiles = chunk_of(a, b.columns);
  for (Index i = 0, rows = tile_rows; i < m; i += rows) {
    if (i >= whole) rows = rows_of_rest(m - i);
    const Index chunk = i < whole ? chunk_of_tiles : 0;
    const Matrix<T> below = {a.data + i * a.row_stride, a.row_stride, a.column_stride};
    pack_tiles(pack, below, rows, task.depth, chunk);
    task.a = chunk == 0 ? below.data : pack;
    task.c = c + i * task.ldc;
    task.epilogue = epilogue.below(i);
    rows_product(task, b, rows, chunk, i + tile_rows < whole);
  }
}

template <class T>
void gemm(T* c, Index ldc, Matrix<T> a, Matrix<T> b, Epilogue<T> epilogue, Index m, Index n, Index k, T* pack) {
  const Index block_depth = even_part(k, most_depth, lanes<T>);
  const Index fitting = group_elements<T> / (block_depth + 1) / tile_columns<T> * tile_columns<T>;
  const Index group_columns = even_part(n, fitting, tile_columns<T>);
  const bool packed = packs(b, m, k);
  T* const pack_a = pack + group_elements<T> + panel_elements<T>;
  TileTask<T> task{};
  task.ldc = ldc;
  task.a_row_stride = a.row_stride;
  task.a_column_stride = a.column_stride;
  // An empty inner dimension still writes epilogue(0): one block of depth 0.
  Index k0 = 0;
  do {
    task.depth = k - k0 < block_depth ? k - k0 : block_depth;
    task.first = k0 == 0;
    const bool last = k0 + task.depth == k;
    const Matrix<T> a_block = {a.data + k0 * a.column_stride, a.row_stride, a.column_stride};
    for (Index j = 0; j < n; j += group_columns) {
      const Index columns = n - j < group_columns ? n - j : group_columns;
      const Matrix<T> b_block = {b.data + k0 * b.row_stride + j * b.column_stride, b.row_stride, b.column_stride};
      const GroupOfB<T> group = group_of(b_block, packed, columns, task.depth, pack);
      task.c = c + j;
      task.epilogue = last ? epilogue.from(j) : Epilogue<T>{};
      group_product(task, a_block, group, m, pack_a);
    }
    k0 += task.depth;
  } while (k0 < k);
}

}  // namespace
}  // namespace flyball
