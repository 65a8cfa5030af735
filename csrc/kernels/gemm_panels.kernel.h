// Matrix products through panels of B in the first-level cache.
//
// For each panel, tiles of all rows of A pass by. On processors with 16 vector registers this took 2 to 6 % less time
// than streaming B through (gemm_streamed.kernel.h), AVX2 on a Xeon.
#pragma once

#include "kernels/pack.kernel.h"
#include "kernels/panels.kernel.h"
#include "kernels/tile.kernel.h"

namespace flyball {
namespace {

// A panel of B (at most most_depth x tile_columns) stays in the first-level cache while the rows of A pass by. Of 200,
// 288 and 400, none was clearly faster than another on a Zen 3.
constexpr Index most_depth = 320;

// Elements of A that stay in the second-level cache while the panels of B pass by: half a megabyte. With a half or a
// quarter of that, products of 1024 rows took a tenth longer; of short rows, fewer will do.
constexpr Index most_rows = 480;
template <class T>
constexpr Index block_elements = 440 * 1024 / static_cast<Index>(sizeof(T));

// A, B and C of more bytes than so many second-level caches are not in a near one, where B would be waited for: panels
// of it are packed in groups, the next a few rows at a time while the tiles of one are computed. On a Zen 3, with 512
// KiB, that took 0.86 to 0.96 of the time from 1.4 MB on, and 1.02 to 1.08 below 0.7 MB; on a Xeon with AVX2 and 2
// MiB 1.01 to 1.05 up to 3 MB and from 6 MB on 0.98 to 1.00.
constexpr Index near_caches = 2;

// A group has four lines of each row of B: with one line a row, kibibytes apart, there was no gain.
template <class T>
constexpr Index group_columns = 256 / static_cast<Index>(sizeof(T));

// Scratch: a group of panels of B and the next one, or a single panel; then a block of A.
template <class T>
constexpr Index group_elements = most_depth * group_columns<T>;
template <class T>
constexpr std::size_t pack_bytes = (2 * group_elements<T> + block_elements<T>)*sizeof(T);

// Below this many rows a panel is not read often enough to pay for packing it.
constexpr Index pack_rows = 2 * tile_rows;

// Tiles of a panel from which on those of a group give the time to pack the next.
constexpr Index least_tiles = 5;

// The first tile of a panel packs it as it goes.
using PackingB = FarB<8, true>;

template <class T>
using Panels = PanelsAhead<T, tile_columns<T>, group_columns<T>>;

// A block of A: its whole tiles packed, or all of it in place.
template <class T>
struct BlockOfA {
  Matrix<T> source;
  const T* tiles;
  Index chunk;
  Index tile_stride;
};

template <class T>
BlockOfA<T> pack_block(T* out, Matrix<T> a, Index m, Index n, Index depth) {
  const Index chunk = chunk_of(a, n, depth);
  pack_tiles(out, a, whole_tile_rows(m), depth, chunk);
  return {a, out, chunk, tile_stride<T>(depth)};
}

// Of a block, rows from i on: of a whole tile, or of the rest, which is not packed.
template <class T>
const T* tile_of_a(const BlockOfA<T>& a, Index i, bool whole) {
  return whole && a.chunk != 0 ? a.tiles + i / tile_rows * a.tile_stride : a.source.data + i * a.source.row_stride;
}

// One block of k for one panel of columns, VECTORS wide. `more` tells whether there is another.
template <int VECTORS, class T>
void panel_product(TileTask<T> task, const BlockOfA<T>& a, Index m, bool more) {
  T* const c = task.c;
  const Epilogue<T> epilogue = task.epilogue;
  const Index whole = whole_tile_rows(m);
  Index i = 0;
  for (; i < whole; i += tile_rows) {
    task.c = c + i * task.ldc;
    task.epilogue = epilogue.below(i);
    const bool last = i + tile_rows == whole;
    if (!task.first && (!last || more)) {
      ask_for<tile_rows, VECTORS>(last ? c + VECTORS * lanes<T> : task.c + tile_rows * task.ldc, task.ldc);
    } else if (asks_early(task) && more) {  // a tile is over too soon: asks for those of the next panel
      ask_for<tile_rows, VECTORS>(task.c + VECTORS * lanes<T>, task.ldc);
    }
    task.a = tile_of_a(a, i, true);
    if (VECTORS == 2 && task.pack != nullptr) {
      whole_tile<PackingB, 2>(task, a.chunk);
      task.b = task.pack;
      task.ldb = tile_columns<T>;
      task.pack = nullptr;
    } else {
      whole_tile<NearB, VECTORS>(task, a.chunk);
    }
  }
  for (Index rows = 0; i < m; i += rows) {
    rows = rows_of_rest(m - i);
    task.c = c + i * task.ldc;
    task.epilogue = epilogue.below(i);
    task.a = tile_of_a(a, i, false);
    tile_of<NearB, tile_rows, VECTORS>(rows, task);
  }
}

// One block of k for a group of panels. Here each tile's rows of A meet all panels in turn, which come from the
// second-level cache: A is read once a group and C in runs of a group's width.
template <class T>
void group_product(TileTask<T> task, const BlockOfA<T>& a, Index m, Panels<T>& ahead) {
  const TileTask<T> group = task;
  const Index whole = whole_tile_rows(m);
  for (Index i = 0, rows = tile_rows; i < m; i += rows) {
    if (i >= whole) rows = rows_of_rest(m - i);
    task.a = tile_of_a(a, i, i < whole);
    T* const c = group.c + i * task.ldc;
    for (Index j = 0; j < ahead.columns(); j += tile_columns<T>) {
      ahead.pack_some();
      task.b = group.b + j * task.depth;
      task.c = c + j;
      task.epilogue = group.epilogue.below(i).from(j);
      if (i >= whole) {
        tile_of<NearB, tile_rows, 2>(rows, task);
        continue;
      }
      ask_for_next(task, c, j + tile_columns<T> == ahead.columns(), i + tile_rows < whole);
      whole_tile<NearB, 2>(task, a.chunk);
    }
  }
}

// One block of k for one block of rows. `task` says what is the same for all tiles; c and epilogue are the block's.
template <class T>
void block_product(TileTask<T> task, const BlockOfA<T>& a, Matrix<T> b, Index m, Index n, T* pack, bool far) {
  T* const c = task.c;
  const Epilogue<T> epilogue = task.epilogue;
  Index j = 0;
  const auto begin_at = [&](Index columns) {
    task.c = c + j;
    task.epilogue = epilogue.from(j);
    task.columns = columns;
  };
  const Index tiles = whole_tile_rows(m) / tile_rows;
  if (far && tiles >= least_tiles) {
    Panels<T> ahead(b, task.depth, n - n % tile_columns<T>, tiles, pack);
    for (; n - j >= tile_columns<T>; j += ahead.columns()) {
      begin_at(lanes<T>);
      task.b = ahead.next();
      task.ldb = tile_columns<T>;
      group_product(task, a, m, ahead);
    }
  }
  for (; j < n; j += tile_columns<T>) {
    const Index left = n - j;
    const Index columns = left < tile_columns<T> ? left : tile_columns<T>;
    const Index width = columns > lanes<T> ? tile_columns<T> : lanes<T>;
    begin_at(columns - (width - lanes<T>));
    task.b = b.data + j * b.column_stride;
    task.ldb = b.row_stride;
    task.pack = nullptr;
    if (m > pack_rows && columns == tile_columns<T> && b.column_stride == 1) {
      task.pack = pack;
    } else if (m > pack_rows || b.column_stride != 1 || columns < width) {
      pack_panel(pack, task.b, b, task.depth, columns, width);
      task.b = pack;
      task.ldb = width;
    }
    if (width == tile_columns<T>) {
      panel_product<2>(task, a, m, left > width);
    } else {
      panel_product<1>(task, a, m, false);
    }
  }
}

template <class T>
void gemm(T* c, Index ldc, Matrix<T> a, Matrix<T> b, Epilogue<T> epilogue, Index m, Index n, Index k, T* pack,
          Index cache_bytes) {
  const Index block_depth = even_part(k, most_depth, lanes<T>);
  const Index fitting_rows = block_elements<T> / tile_stride<T>(block_depth) * tile_rows;
  const Index block_rows = even_part(m, fitting_rows < most_rows ? fitting_rows : most_rows, tile_rows);
  const bool far = (m * k + n * k + m * n) * static_cast<Index>(sizeof(T)) > near_caches * cache_bytes;
  // An empty inner dimension still writes epilogue(0): one block of depth 0.
  Index k0 = 0;
  do {
    const Index depth = k - k0 < block_depth ? k - k0 : block_depth;
    const bool last = k0 + depth == k;
    for (Index i = 0; i < m; i += block_rows) {
      const Index rows = m - i < block_rows ? m - i : block_rows;
      const Matrix<T> a_block = {a.data + i * a.row_stride + k0 * a.column_stride, a.row_stride, a.column_stride};
      const BlockOfA<T> block = pack_block(pack + 2 * group_elements<T>, a_block, rows, n, depth);
      TileTask<T> task{};
      task.c = c + i * ldc;
      task.ldc = ldc;
      task.a_row_stride = a.row_stride;
      task.a_column_stride = a.column_stride;
      task.depth = depth;
      task.first = k0 == 0;
      if (last) task.epilogue = epilogue.below(i);
      block_product(task, block, {b.data + k0 * b.row_stride, b.row_stride, b.column_stride}, rows, n, pack, far);
    }
    k0 += depth;
  } while (k0 < k);
}

}  // namespace
}  // namespace flyball
