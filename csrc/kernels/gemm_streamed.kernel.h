// Matrix products past which B is streamed from the second-level cache.
//
// The rows of a tile of A, in the first-level cache, meet all panels of B in turn; those are read in place where their
// rows are contiguous, a few steps ahead, and what is needed next is asked for on the way (errands.kernel.h). With 32
// vector registers a row of a panel is asked for every twelve cycles, and nothing is waited for: on a Xeon with AVX-512
// such a loop reached 97 % of the peak, where a pass that packs B took 13 to 15 % of a product of 128 rows, at 4.5
// cycles for each line copied.
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

// From so many rows on panels are read often enough to pay for copies, which the first tile leaves behind.
constexpr Index copy_rows = 40 * tile_rows;

// From fewer rows on if every row of B lies across lines, because each of its loads takes two, or if B spans so many
// bytes that its rows are pages apart and come from far away: (128 and 256) x (2048, 2048) took 0.75 to 0.96 of the
// time, with half of that up to 1.09.
constexpr Index copy_awkward_rows = 8 * tile_rows;
constexpr Index far_bytes = 16 * 1024 * 1024;

// --- how a tile finds its rows of B ---

// It runs its errands before each vector's worth of steps.
template <class B>
struct OnErrands {
  static constexpr bool begins = true;

  template <int VECTORS, class T>
  struct Rows : B::template Rows<VECTORS, T> {
    const T* runs[errand_runs];
    const T* c;
    Index ldc;

    FLYBALL_INLINE explicit Rows(const TileTask<T>& task)
        : B::template Rows<VECTORS, T>(task), c(task.errands->c), ldc(task.ldc) {
#pragma GCC unroll 4
      for (int i = 0; i < errand_runs; ++i) runs[i] = task.errands->runs[i];
    }

    FLYBALL_INLINE void begin(Index) {
      constexpr int second_level = 2;
#pragma GCC unroll 4
      for (const T*& run : runs) {
        __builtin_prefetch(run, 0, second_level);
        run += lanes<T>;
      }
#pragma GCC unroll 2
      for (int v = 0; v < VECTORS; ++v) __builtin_prefetch(c + v * lanes<T>, 0, second_level);
      c += ldc;
    }
  };
};

// Of 4, 6, 8, 12 and 16 rows, 4 and 16 were slower for some sizes, and 8 where rows of B are about 300 bytes.
constexpr Index rows_ahead = 6;
using StreamedB = OnErrands<FarB<rows_ahead, false>>;
using CopyingB = OnErrands<FarB<rows_ahead, true>>;

// Of a transposed B, whose columns (`ldb` apart) are contiguous, the rows of the next steps are transposed to the
// panel's copy and read from there. In a pass of its own that took 2 to 3 % longer (128 rows).
struct TransposingB {
  static constexpr bool begins = true;

  template <int VECTORS, class T>
  struct Rows : OnErrands<NearB>::template Rows<VECTORS, T> {
    static constexpr Index width = VECTORS * lanes<T>;
    using Base = typename OnErrands<NearB>::template Rows<VECTORS, T>;
    const T* columns;
    Index column_stride;
    T* pack;

    FLYBALL_INLINE explicit Rows(const TileTask<T>& task)
        : Base(task), columns(task.b), column_stride(task.ldb), pack(task.pack) {
      this->from = pack;
      this->stride = width;
    }

    FLYBALL_INLINE void begin(Index steps) {
      Base::begin(steps);
      if (steps == lanes<T>) {
        for (Index j = 0; j < width; j += lanes<T>) {
          transpose_square(pack + j, width, columns + j * column_stride, column_stride);
        }
      } else {
        pack_columns_of(pack, columns, column_stride, steps, width, width);
      }
      columns += steps;
      pack += steps * width;
    }
  };
};

// --- panels of B ---

// What becomes of the panels of a product: they are read in place, or copied by the first tile of rows, which reads
// them in place or transposes them, or before.
enum class Panels { in_place, copied, transposed, packed };

template <class T>
Panels panels_of(Matrix<T> a, Matrix<T> b, Index m, Index k) {
  if (b.column_stride != 1) {
    const bool on_the_way = b.row_stride == 1 && a.column_stride == 1 && whole_tile_rows(m) > 0;
    return on_the_way ? Panels::transposed : Panels::packed;
  }
  const bool across_lines = !begins_at_line(b.data) || !begins_at_line(b.data + b.row_stride);
  const bool far = b.row_stride * k * static_cast<Index>(sizeof(T)) >= far_bytes;
  if (m < (across_lines || far ? copy_awkward_rows : copy_rows)) return Panels::in_place;
  return a.column_stride == 1 || a.row_stride == 1 ? Panels::copied : Panels::packed;
}

// Where panels lie, each one tile wide: a panel from the one before it, and a row of a panel, or a column of a
// transposed one, from the one before it.
template <class T>
struct Place {
  const T* data;
  Index row_stride;
  Index stride;
};

// A group of columns of B over one block of k: whole panels, and what is left of its columns.
template <class T>
struct GroupOfB {
  Panels kind;
  Place<T> source;
  T* pack;  // copies, one behind the other
  Place<T> rest;
  Index columns;
  Index depth;

  Index whole() const { return columns - columns % tile_columns<T>; }
  Place<T> copy() const { return {pack, tile_columns<T>, tile_columns<T> * depth}; }
};

template <class T>
GroupOfB<T> group_of(Matrix<T> b, Panels kind, Index columns, Index depth, T* pack) {
  const bool transposed = kind == Panels::transposed;
  const Place<T> source = {b.data, transposed ? b.column_stride : b.row_stride, tile_columns<T> * b.column_stride};
  GroupOfB<T> group{kind, source, pack, {}, columns, depth};
  const Index whole = group.whole();
  if (kind == Panels::packed) {
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

// --- products ---

// What the tiles of a group ask for besides C: rows of A of the next tile, and the next group of B.
template <class T>
struct Ahead {
  Upcoming<T> a;
  Upcoming<T> b;
  Index pieces_of_b;  // for each tile
  Errands<T> errands;

  // The errands of a tile; `next_c`: where C of the one after it begins.
  FLYBALL_INLINE void plan(const TileTask<T>& task, const T* next_c) {
    errands.runs[0] = a.next(task.a);
    for (int i = 1; i < errand_runs; ++i) errands.runs[i] = i <= pieces_of_b ? b.next(task.a) : task.a;
    errands.all_of_c = task.depth >= tile_rows * lanes<T>;
    errands.c = errands.all_of_c && asks_early(task) ? next_c : task.c;
  }
};

template <int VECTORS, class T>
void tile_of_rows(const TileTask<T>& task, Index rows, Index chunk, Panels kind) {
  if (VECTORS == 2 && kind == Panels::transposed) {
    tile<Consecutive, TransposingB, tile_rows, 2, T>(task);
  } else if (VECTORS == 2 && kind == Panels::copied && chunk == 1) {
    tile<Packed<1>, CopyingB, tile_rows, 2, T>(task);
  } else if (VECTORS == 2 && kind == Panels::copied && task.a_row_stride == 1) {
    tile<Columns, CopyingB, tile_rows, 2, T>(task);
  } else if (VECTORS == 2 && kind == Panels::copied) {
    tile<Consecutive, CopyingB, tile_rows, 2, T>(task);
  } else if (rows == tile_rows) {
    whole_tile<StreamedB, VECTORS>(task, chunk);
  } else {
    tile_of<FarB<rows_ahead, false>, tile_rows, VECTORS>(rows, task);
  }
}

// Some rows of A, a whole tile or fewer, times a group; `more` tells whether the rows of another whole tile follow. The
// first of all copy the panels if those are to be copied.
template <class T>
void rows_product(TileTask<T> task, const GroupOfB<T>& b, Index rows, Index chunk, bool first, bool more,
                  Ahead<T>& ahead) {
  T* const c = task.c;
  const Epilogue<T> epilogue = task.epilogue;
  const Index whole = b.whole();
  const Panels kind = first || b.kind == Panels::in_place ? b.kind : Panels::packed;
  const Place<T> place = kind == Panels::packed ? b.copy() : b.source;
  task.columns = lanes<T>;
  task.b = place.data;
  task.ldb = place.row_stride;
  task.pack = b.pack;
  task.errands = &ahead.errands;
  for (Index j = 0; j < whole; j += tile_columns<T>, task.b += place.stride, task.pack += tile_columns<T> * b.depth) {
    task.c = c + j;
    task.epilogue = epilogue.from(j);
    const bool end = j + tile_columns<T> == whole;
    const T* const next_c = !end ? task.c + tile_columns<T> : more ? c + tile_rows * task.ldc : task.c;
    ahead.plan(task, next_c);
    if (rows == tile_rows && !ahead.errands.all_of_c) ask_for_next(task, c, end, more);
    tile_of_rows<2>(task, rows, chunk, kind);
  }
  const Index left = b.columns - whole;
  if (left == 0) return;
  task.c = c + whole;
  task.epilogue = epilogue.from(whole);
  ahead.plan(task, task.c);
  task.b = b.rest.data;
  task.ldb = b.rest.row_stride;
  if (left > lanes<T>) {
    task.columns = left - lanes<T>;
    tile_of_rows<2>(task, rows, chunk, Panels::packed);
  } else {
    task.columns = left;
    tile_of_rows<1>(task, rows, chunk, Panels::packed);
  }
}

// One block of k for a group of columns. `task` says what is the same for all tiles; c and epilogue are the group's.
template <class T>
void group_product(TileTask<T> task, Matrix<T> a, const GroupOfB<T>& b, Index m, Index chunk_of_tiles,
                   Upcoming<T> next_of_b, T* pack) {
  T* const c = task.c;
  const Epilogue<T> epilogue = task.epilogue;
  const Index whole = whole_tile_rows(m);
  const Index tiles = whole / tile_rows * (b.whole() / tile_columns<T>);
  Ahead<T> ahead{{}, next_of_b, tiles == 0 ? 0 : (next_of_b.pieces() + tiles - 1) / tiles, {}};
  for (Index i = 0, rows = tile_rows; i < m; i += rows) {
    if (i >= whole) rows = rows_of_rest(m - i);
    const Index chunk = i < whole ? chunk_of_tiles : 0;
    const bool more = i + tile_rows < whole;
    const Matrix<T> below = {a.data + i * a.row_stride, a.row_stride, a.column_stride};
    pack_tiles(pack, below, rows, task.depth, chunk);
    task.a = chunk == 0 ? below.data : pack;
    task.c = c + i * task.ldc;
    task.epilogue = epilogue.below(i);
    ahead.a = {};
    if (more && a.column_stride == 1) {
      ahead.a = {below.data + tile_rows * a.row_stride, a.row_stride, tile_rows, task.depth, task.depth};
    }
    rows_product(task, b, rows, chunk, i == 0, more, ahead);
  }
}

// Runs of a block of B, in pieces that tiles of `depth` steps have errands for.
template <class T>
Upcoming<T> runs_of(Matrix<T> b, Index rows, Index columns, Index depth) {
  const Index piece = depth < lanes<T> ? lanes<T> : depth / lanes<T> * lanes<T>;
  if (rows == 0) return {};
  if (b.column_stride == 1) return {b.data, b.row_stride, rows, columns, piece};
  if (b.row_stride == 1) return {b.data, b.column_stride, columns, rows, piece};
  return {};
}

template <class T>
void gemm(T* c, Index ldc, Matrix<T> a, Matrix<T> b, Epilogue<T> epilogue, Index m, Index n, Index k, T* pack,
          Index /*cache_bytes*/) {
  const Index block_depth = even_part(k, most_depth, lanes<T>);
  const Index fitting = group_elements<T> / (block_depth + 1) / tile_columns<T> * tile_columns<T>;
  const Index group_columns = even_part(n, fitting, tile_columns<T>);
  const Index chunk = chunk_of(a, group_columns, block_depth);
  const Panels kind = panels_of(a, b, m, k);
  const auto block_of_b = [=](Index k0, Index j) -> Matrix<T> {
    return {b.data + k0 * b.row_stride + j * b.column_stride, b.row_stride, b.column_stride};
  };
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
      const GroupOfB<T> group = group_of(block_of_b(k0, j), kind, columns, task.depth, pack);
      const bool to_the_right = j + group_columns < n;
      const Index next_k = to_the_right ? k0 : k0 + task.depth;
      const Index next_j = to_the_right ? j + group_columns : 0;
      const Index next_rows = k - next_k < block_depth ? k - next_k : block_depth;
      const Index next_columns = n - next_j < group_columns ? n - next_j : group_columns;
      task.c = c + j;
      task.epilogue = last ? epilogue.from(j) : Epilogue<T>{};
      group_product(task, a_block, group, m, chunk,
                    runs_of(block_of_b(next_k, next_j), next_rows, next_columns, task.depth), pack_a);
    }
    k0 += task.depth;
  } while (k0 < k);
}

}  // namespace
}  // namespace flyball
