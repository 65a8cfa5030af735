// Matrix product. Compiled once per instruction set: see variant.h.
//
// Register tile: MR rows x 2 vectors of C. Per step of k it loads two vectors of B, broadcasts MR elements of A and
// issues 2 * MR multiply-adds. With 32 vector registers MR = 12 (24 accumulators, 2 for B, broadcasts from memory);
// with 16, MR = 6 (12 + 2 + 1).
#include "kernels/epilogue.kernel.h"
#include "kernels/gemm.h"
#include "kernels/pack.kernel.h"
#include "kernels/panels.kernel.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int tile_rows = 12;
#elif defined(__AVX__)
constexpr int tile_rows = 6;
#else
constexpr int tile_rows = 4;
#endif

template <class T>
constexpr Index tile_columns = 2 * lanes<T>;

// A panel of B (at most most_depth x tile_columns) stays in the first-level cache while the rows of A pass by. Of 200,
// 288 and 400, none was clearly faster than another on a Zen 3.
constexpr Index most_depth = 320;

// Elements of A that stay in the second-level cache while the panels of B pass by: half a megabyte. With a half or a
// quarter of that, products of 1024 rows took a tenth longer; of short rows, fewer will do.
constexpr Index most_rows = 480;
template <class T>
constexpr Index block_elements = 440 * 1024 / static_cast<Index>(sizeof(T));

// A, B and C of more bytes than these are not in a near cache, where B would be waited for: panels of it are packed in
// groups, the next a few rows at a time while the tiles of one are computed. On a Zen 3 that took 0.86 to 0.96 of the
// time from 1.4 MB on, and 1.02 to 1.08 below 0.7 MB.
constexpr Index near_bytes = 1000 * 1024;

// A group has four lines of each row of B: with one line a row, kibibytes apart, there was no gain.
template <class T>
constexpr Index group_columns = 256 / static_cast<Index>(sizeof(T));

// Scratch: a group of panels of B and the next one, or a single panel; then a block of A.
template <class T>
constexpr Index group_elements = most_depth * group_columns<T>;
template <class T>
constexpr std::size_t pack_bytes = (2 * group_elements<T> + block_elements<T>)*sizeof(T);
static_assert(pack_bytes<float> <= most_pack_bytes && pack_bytes<double> <= most_pack_bytes);

// Fewer rows than these are fewer independent sums than keep two units of multiply-adds busy for four cycles each: what
// whole tiles leave is then shared with the last of them.
constexpr Index least_rows = 4;

// The rows of whole tiles, and how many the next of the others takes where `left` are left.
constexpr Index whole_tile_rows(Index m) {
  const Index rest = m % tile_rows;
  return m - rest - (0 < rest && rest < least_rows && m > tile_rows ? tile_rows : 0);
}
constexpr Index rows_of_rest(Index left) { return left > tile_rows ? (left + 1) / 2 : left; }

// Below this many rows a panel is not read often enough to pay for packing it.
constexpr Index pack_rows = 2 * tile_rows;

// A block of A is packed from so many columns on; with fewer it is not read often enough to pay for that. In place, a
// tile whose columns are contiguous jumps from line to line, and one whose rows lie colliding_bytes apart falls into so
// few sets of the first-level cache that its rows evict each other; others lose little.
template <class T>
constexpr Index pack_columns = 4 * tile_columns<T>;
template <class T>
constexpr Index pack_columns_of_rows = 12 * tile_columns<T>;
constexpr Index colliding_bytes = 2048;

// c += x * b, on the registers that c, x and b are in.
//
// With 16 registers, of which a tile needs 15, GCC 12 moves its sums from one to another and spills some where a loop
// is unrolled: whole products took 3 % longer on a Zen 3 at rest, up to 10 % where another process shared the core.
template <class T>
FLYBALL_INLINE void multiply_add(Vec<T>& c, Vec<T> x, Vec<T> b) {
#if defined(__FMA__) && !defined(__AVX512F__)
  if constexpr (sizeof(T) == sizeof(float)) {
    asm("vfmadd231ps %2, %1, %0" : "+x"(c) : "x"(x), "x"(b));
  } else {
    asm("vfmadd231pd %2, %1, %0" : "+x"(c) : "x"(x), "x"(b));
  }
#else
  c += x * b;
#endif
}

// C[ROWS, VECTORS] += A[ROWS] @ B[VECTORS], one step of k.
template <int ROWS, int VECTORS, class T>
FLYBALL_INLINE void step(Vec<T> (&c)[ROWS][VECTORS], const T* a, Index row_stride, const Vec<T> (&b)[VECTORS]) {
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; ++i) {
    const Vec<T> x = broadcast(a[i * row_stride]);
#pragma GCC unroll 2
    for (int v = 0; v < VECTORS; ++v) multiply_add<T>(c[i][v], x, b[v]);
  }
}

// Rows of B, of which PACKS leaves a copy: the first tile of a panel packs it as it goes, behind its multiply-adds.
// 36 rows of 256 steps took 16 % less than with a pass of its own.
template <int VECTORS, bool PACKS, class T>
struct RowsOfB {
  const T* from;
  Index stride;
  T* pack;

  FLYBALL_INLINE void next(Vec<T> (&row)[VECTORS]) {
    // The processor does not foresee short runs that lie far apart.
    constexpr Index ahead = 8;
#pragma GCC unroll 2
    for (int v = 0; v < VECTORS; ++v) {
      row[v] = load(from + v * lanes<T>);
      if (PACKS) {
        __builtin_prefetch(from + v * lanes<T> + ahead * stride);
        store(pack + v * lanes<T>, row[v]);
      }
    }
    from += stride;
    if (PACKS) pack += VECTORS * lanes<T>;
  }
};

// How a tile finds its elements of A: in place,
struct Strided {
  template <int ROWS, int VECTORS, class T, class B>
  static FLYBALL_INLINE void product(Vec<T> (&c)[ROWS][VECTORS], const T* a, Index row_stride, Index column_stride, B b,
                                     Index depth) {
    for (Index k = 0; k < depth; ++k) {
      Vec<T> b_row[VECTORS];
      b.next(b_row);
      step<ROWS, VECTORS, T>(c, a, row_stride, b_row);
      a += column_stride;
    }
  }
};

// or packed: CHUNK elements of the first row, of the second, ... of the last, then the next CHUNK of the first.
template <int CHUNK>
struct Packed {
  template <int ROWS, int VECTORS, class T, class B>
  static FLYBALL_INLINE void product(Vec<T> (&c)[ROWS][VECTORS], const T* a, Index, Index, B b, Index depth) {
    constexpr Index steps = CHUNK == 2 ? 2 : 4;
    constexpr Index run = CHUNK > steps ? CHUNK : steps;
    Index k = 0;
    for (; k + run <= depth; k += run, a += run * tile_rows) {
#pragma GCC unroll 1
      for (Index part = 0; part < run; part += steps) {
#pragma GCC unroll 4
        for (Index u = 0; u < steps; ++u) {
          Vec<T> b_row[VECTORS];
          b.next(b_row);
          step<ROWS, VECTORS, T>(c, a + part + u / CHUNK * CHUNK * tile_rows + u % CHUNK, CHUNK, b_row);
        }
      }
    }
#pragma GCC unroll 1
    for (; k < depth; ++k) {
      Vec<T> b_row[VECTORS];
      b.next(b_row);
      step<ROWS, VECTORS, T>(c, a, CHUNK, b_row);
      a += CHUNK == 1 ? tile_rows : 1;
    }
  }
};

// Steps of k from which on lines of C that are asked for at the beginning of a tile are there at its end.
constexpr Index least_hidden_depth = 64;

// Asks for ROWS of C, VECTORS wide.
template <int ROWS, int VECTORS, class T>
FLYBALL_INLINE void ask_for(T* c, Index ldc) {
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < VECTORS; ++v) prefetch_to_write(c + i * ldc + v * lanes<T>);
  }
}

// Tiles of a panel from which on those of a group give the time to pack the next.
constexpr Index least_tiles = 5;

template <class T>
using Panels = PanelsAhead<T, tile_columns<T>, group_columns<T>>;

template <class T>
struct TileTask {
  T* c;
  Index ldc;
  const T* a;
  Index a_row_stride;
  Index a_column_stride;
  const T* b;
  Index ldb;
  T* pack;               // where a tile that packs leaves its panel of B
  Epilogue<T> epilogue;  // absent unless this is the last block of k
  Index depth;
  Index columns;  // valid columns of the last vector
  bool first;     // first block of k: start from zero
  bool far;       // operands are not in a near cache: lines of C are asked for a tile before
};

template <class A, bool PACKS, int ROWS, int VECTORS, class T>
__attribute__((noinline)) void tile(const TileTask<T>& task) {
  Vec<T> c[ROWS][VECTORS];
  T* const corner = task.c;
  const Index ldc = task.ldc;
  const Index columns = task.columns;
  const bool whole = columns == lanes<T>;
  const auto load_vector = [=](const T* p, int v) FLYBALL_INLINE_LAMBDA {
    return whole || v + 1 < VECTORS ? load(p + v * lanes<T>) : load_partial(p + v * lanes<T>, columns);
  };
  if (task.first) {
    if (task.depth >= least_hidden_depth) ask_for<ROWS, VECTORS>(corner, ldc);
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < VECTORS; ++v) c[i][v] = zero<T>();
    }
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < VECTORS; ++v) c[i][v] = load_vector(corner + i * ldc, v);
    }
  }
  ask_for_added<ROWS, VECTORS>(task.epilogue, 0);
  A::template product<ROWS, VECTORS, T>(c, task.a, task.a_row_stride, task.a_column_stride,
                                        RowsOfB<VECTORS, PACKS, T>{task.b, task.ldb, task.pack}, task.depth);
  finish(c, task.epilogue, load_vector);
  // One branch for all vectors rather than one for each.
  if (whole) {
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < VECTORS; ++v) store(corner + i * ldc + v * lanes<T>, c[i][v]);
    }
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
      if (VECTORS == 2) store(corner + i * ldc, c[i][0]);
      store_partial(corner + i * ldc + (VECTORS - 1) * lanes<T>, c[i][VECTORS - 1], columns);
    }
  }
}

// The tile for a number of rows known at run time.
template <int ROWS, int VECTORS, class T>
void tile_of(Index rows, const TileTask<T>& task) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return tile_of<ROWS - 1, VECTORS, T>(rows, task);
  }
  tile<Strided, false, ROWS, VECTORS, T>(task);
}

// The whole tiles of a block of A, packed.
// chunk: how many elements of a row lie together; 0: not packed, in place.
template <class T>
struct BlockOfA {
  Matrix<T> source;
  const T* tiles;
  Index chunk;
  Index tile_stride;
};

// A tile is written up to some lanes beyond its end.
template <class T>
constexpr Index tile_stride(Index depth) {
  return (depth + lanes<T> - 1) / lanes<T> * lanes<T> * tile_rows + lanes<T>;
}

template <class T>
BlockOfA<T> pack_block(T* out, Matrix<T> a, Index m, Index n, Index depth) {
  BlockOfA<T> block{a, out, 0, 0};
  const bool collides = a.row_stride * static_cast<Index>(sizeof(T)) % colliding_bytes == 0;
  if (n < (a.row_stride == 1 || collides ? pack_columns<T> : pack_columns_of_rows<T>)) return block;
  block.tile_stride = tile_stride<T>(depth);
  m = whole_tile_rows(m);
  if (a.column_stride == 1) {
    block.chunk = lanes<T>;
    pack_tiles_by_rows<tile_rows>(out, a, m, depth, block.tile_stride);
  } else if (a.row_stride == 1) {
    block.chunk = 1;
    pack_tiles_by_columns<tile_rows>(out, a, m, depth, block.tile_stride);
  }
  return block;
}

template <bool PACKS, int VECTORS, class T>
void tile_of_block(const TileTask<T>& task, Index chunk) {
  if (chunk == 0) {
    tile<Strided, PACKS, tile_rows, VECTORS, T>(task);
  } else if (chunk == 1) {
    tile<Packed<1>, PACKS, tile_rows, VECTORS, T>(task);
  } else {
    tile<Packed<lanes<T>>, PACKS, tile_rows, VECTORS, T>(task);
  }
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
  const bool asks = task.far || !task.first;
  Index i = 0;
  for (; i < whole; i += tile_rows) {
    task.c = c + i * task.ldc;
    task.epilogue = epilogue.below(i);
    const bool last = i + tile_rows == whole;
    if (asks && (!last || more)) {
      ask_for<tile_rows, VECTORS>(last ? c + VECTORS * lanes<T> : task.c + tile_rows * task.ldc, task.ldc);
    } else if (task.depth < least_hidden_depth && more) {  // a tile is over too soon: asks for those of the next panel
      ask_for<tile_rows, VECTORS>(task.c + VECTORS * lanes<T>, task.ldc);
    }
    task.a = tile_of_a(a, i, true);
    if (VECTORS == 2 && task.pack != nullptr) {
      tile_of_block<true, 2, T>(task, a.chunk);
      task.b = task.pack;
      task.ldb = tile_columns<T>;
      task.pack = nullptr;
    } else {
      tile_of_block<false, VECTORS, T>(task, a.chunk);
    }
  }
  for (Index rows = 0; i < m; i += rows) {
    rows = rows_of_rest(m - i);
    task.c = c + i * task.ldc;
    task.epilogue = epilogue.below(i);
    task.a = tile_of_a(a, i, false);
    tile_of<tile_rows, VECTORS, T>(rows, task);
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
        tile_of<tile_rows, 2, T>(rows, task);
        continue;
      }
      const bool last = j + tile_columns<T> == ahead.columns();
      if (!last || i + tile_rows < whole) {
        ask_for<tile_rows, 2>(last ? c + tile_rows * task.ldc : task.c + tile_columns<T>, task.ldc);
      }
      tile_of_block<false, 2>(task, a.chunk);
    }
  }
}

// One block of k for one block of rows. `task` says what is the same for all tiles; c and epilogue are the block's.
template <class T>
void block_product(TileTask<T> task, const BlockOfA<T>& a, Matrix<T> b, Index m, Index n, T* pack) {
  T* const c = task.c;
  const Epilogue<T> epilogue = task.epilogue;
  Index j = 0;
  const auto begin_at = [&](Index columns) {
    task.c = c + j;
    task.epilogue = epilogue.from(j);
    task.columns = columns;
  };
  const Index tiles = whole_tile_rows(m) / tile_rows;
  if (task.far && tiles >= least_tiles) {
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

// The size of parts of about the same size, in whole units, none above `most`: a small last one would pack all of B, or
// read all of C, for little.
constexpr Index even_part(Index size, Index most, Index unit) {
  const Index parts = (size + most - 1) / most;
  return parts < 2 ? size : ((size + parts - 1) / parts + unit - 1) / unit * unit;
}

template <class T>
void gemm(T* c, Index ldc, Matrix<T> a, Matrix<T> b, Epilogue<T> epilogue, Index m, Index n, Index k, T* pack) {
  const Index block_depth = even_part(k, most_depth, lanes<T>);
  const Index fitting_rows = block_elements<T> / tile_stride<T>(block_depth) * tile_rows;
  const Index block_rows = even_part(m, fitting_rows < most_rows ? fitting_rows : most_rows, tile_rows);
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
      task.far = (m * k + n * k + m * n) * static_cast<Index>(sizeof(T)) > near_bytes;
      if (last) task.epilogue = epilogue.below(i);
      block_product(task, block, {b.data + k0 * b.row_stride, b.row_stride, b.column_stride}, rows, n, pack);
    }
    k0 += depth;
  } while (k0 < k);
}

template <class T>
constexpr GemmKernels<T> gemm_kernels = {gemm<T>, tile_rows, tile_columns<T>, pack_bytes<T>};

}  // namespace
}  // namespace flyball
