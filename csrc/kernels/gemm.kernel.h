// Matrix product. Compiled once per instruction set: see variant.h.
//
// Blocks as in BLIS: `block_depth` of k, `block_columns` of B, packed into panels of a tile's width, `block_rows` of A.
// Both blocks stay in the second-level cache. A needs no packing for the tile's sake, its elements are broadcast: it is
// copied only where its layout is bad for the caches.
#include "kernels/gemm_pack.kernel.h"
#include "kernels/gemm_tile.kernel.h"

namespace flyball {
namespace {

// A panel of B (block_depth x tile_columns) is 32 KiB or less.
constexpr Index block_depth = 256;

template <class T>
constexpr Index block_columns = 2048 / static_cast<Index>(sizeof(T));

template <class T>
constexpr Index block_rows = 240 * 1024 / static_cast<Index>(sizeof(T)) / block_depth / tile_rows * tile_rows;

// Lines of A (rows, or columns of a transposed A) this many bytes apart fall into so few sets of the first-level cache
// that they evict each other: such blocks are copied.
constexpr Index colliding_bytes = 2048;

// Copied rows lie a vector further apart than they are long, so do kept panels of B.
template <class T>
constexpr Index copied_stride = block_depth + lanes<T>;

// Scratch: a block of B, then a block of A, 64-byte aligned.
template <class T>
constexpr Index b_elements = (block_depth * tile_columns<T> + lanes<T>)*(block_columns<T> / tile_columns<T>);
template <class T>
constexpr Index a_elements = block_rows<T> * copied_stride<T>;
template <class T>
constexpr std::size_t pack_bytes = (b_elements<T> + a_elements<T>)*sizeof(T);

// Below this many rows a panel is not read often enough to pay for packing it.
constexpr Index pack_rows = 2 * tile_rows;

// Equal parts of `size`, each at most `most` and a multiple of `unit` (but the last): the length of one.
FLYBALL_INLINE Index even_step(Index size, Index most, Index unit) {
  const Index parts = (size + most - 1) / most;
  if (parts <= 1) return most;
  return ((size + parts - 1) / parts + unit - 1) / unit * unit;
}

// Calls body(begin, rows) for tiles of nearly equal numbers of rows: 13 rows are 7 and 6, a tile of one row would wait
// for its own chains.
template <class Body>
FLYBALL_INLINE void for_each_tile(Index m, Body body) {
  const Index tiles = (m + tile_rows - 1) / tile_rows;
  const Index rows = m / tiles;
  const Index taller = m - rows * tiles;
  Index i = 0;
  for (Index t = 0; t < tiles; ++t) {
    const Index height = t < taller ? rows + 1 : rows;
    body(t, i, height);
    i += height;
  }
}

// A block of A in the layout in which tiles read it.
template <class T>
struct Left {
  const T* data;
  Index row_stride;
  Index column_stride;
  bool packed;  // as tiles: each stored by columns, one behind the other
};

// A whose columns are contiguous, as tiles.
template <class T>
void pack_tiles(T* out, Matrix<T> a, Index m, Index depth) {
  const Index tiles = (m + tile_rows - 1) / tile_rows;
  const Index rows = m / tiles;
  const Index taller = m - rows * tiles;
  for (Index k = 0; k < depth; ++k) {
    const T* from = a.data + k * a.column_stride;
    Index i = 0;
    for (Index t = 0; t < tiles; ++t) {
      const Index height = t < taller ? rows + 1 : rows;
      T* to = out + i * depth + k * height;
      for (Index r = 0; r < height; r += lanes<T>) {
        const Index count = height - r < lanes<T> ? height - r : lanes<T>;
        if (k + 1 < depth || count == lanes<T>) {
          store(to + r, load_partial(from + i + r, count));
        } else {
          store_partial(to + r, load_partial(from + i + r, count), count);
        }
      }
      i += height;
    }
  }
}

#ifndef PACKN
#define PACKN 4
#endif

// The block of A as it is, or copied where its lines collide in the cache and it is read often enough.
template <class T>
Left<T> settle(Matrix<T> a, Index m, Index depth, Index n, T* copy) {
  const bool by_columns = a.row_stride == 1;
  const Index stride = by_columns ? a.column_stride : a.row_stride;
  const bool collides = stride * static_cast<Index>(sizeof(T)) % colliding_bytes == 0;
  if (!collides || n < 4 * tile_columns<T> || (!by_columns && a.column_stride != 1)) {
    return {a.data, a.row_stride, a.column_stride, false};
  }
  if (by_columns) {
    pack_tiles(copy, a, m, depth);
    return {copy, 1, 0, true};
  }
  for (Index i = 0; i < m; ++i) {
    for_each_vector<T>(depth, [&](auto part, Index k) {
      part.store(copy + i * copied_stride<T> + k, part.load(a.data + i * a.row_stride + k));
    });
  }
  return {copy, copied_stride<T>, 1, false};
}

// One block of k for one block of rows and columns of C. `task` says what is the same for all tiles; c and bias are
// the block's. Panels of B are packed unless an earlier block of rows has done it; they lie `panel_stride` apart.
template <class T>
void block_product(TileTask<T> task, Left<T> a, Matrix<T> b, const T* bias, Index m, Index n, T* pack,
                   Index panel_stride, bool pack_b, bool far) {
  T* const c = task.c;
  for (Index j = 0; j < n; pack += panel_stride) {
    const Index rest = n - j;
    task.b = b.data + j * b.column_stride;
    task.ldb = b.row_stride;
    task.c = c + j;
    task.bias = bias == nullptr ? nullptr : bias + j;
    task.a = a.data;
    task.a_row_stride = a.row_stride;
    task.a_column_stride = a.column_stride;
    const bool alone = panel_stride == 0;  // other blocks of rows would look for panels of a tile's width
    if (alone && m <= wide_rows && b.column_stride == 1 && rest >= wide_vectors * lanes<T> && !a.packed) {
      task.columns = lanes<T>;
      tile_of<wide_rows, wide_vectors, T>(m, task);
      j += wide_vectors * lanes<T>;
      continue;
    }
    const Index columns = rest < tile_columns<T> ? rest : tile_columns<T>;
    const Index width = columns > lanes<T> ? tile_columns<T> : lanes<T>;
    if (m > pack_rows || b.column_stride != 1 || columns < width) {
      if (pack_b) pack_panel(pack, {task.b, b.row_stride, b.column_stride}, task.depth, columns, width);
      task.b = pack;
      task.ldb = width;
    }
    task.columns = columns - (width - lanes<T>);
    const Index next = j + width;
    const Index next_columns = n - next < tile_columns<T> ? n - next : tile_columns<T>;
    const Index tiles = (m + tile_rows - 1) / tile_rows;
    for_each_tile(m, [&](Index t, Index i, Index height) {
      task.c = c + i * task.ldc + j;
      if (a.packed) {
        task.a = a.data + i * task.depth;
        task.a_column_stride = height;
      } else {
        task.a = a.data + i * a.row_stride;
      }
      if (pack_b && far && next_columns > 0) {
        prefetch_panel<T>({b.data + next * b.column_stride, b.row_stride, b.column_stride}, task.depth, next_columns, t,
                          tiles);
      }
      if (width == tile_columns<T>) {
        tile_of<tile_rows, 2, T>(height, task);
      } else {
        tile_of<tile_rows, 1, T>(height, task);
      }
    });
    j = next;
  }
}

template <class T>
void product(T* c, Index ldc, Matrix<T> a, Matrix<T> b, const T* bias, Activation activation, Index m, Index n, Index k,
             T* pack) {
  const Index deep = even_step(k, block_depth, lanes<T>);
  const Index high = even_step(m, block_rows<T>, tile_rows);
  const Index wide = even_step(n, block_columns<T>, tile_columns<T>);
  // Panels of B are kept for the other blocks of rows; a single block uses one panel after the other.
  const Index panel_stride = m > high ? (deep < k ? deep : k) * tile_columns<T> + lanes<T> : 0;
  // What does not fit the second-level cache is asked for a panel ahead: (256, 1024, 1024) takes 3 to 5 % less.
  const bool far = n * k * static_cast<Index>(sizeof(T)) > (1 << 20);
  // An empty inner dimension still writes activation(bias): one block of depth 0.
  Index k0 = 0;
  do {
    const Index depth = k - k0 < deep ? k - k0 : deep;
    const bool last = k0 + depth == k;
    TileTask<T> task{};
    task.ldc = ldc;
    task.depth = depth;
    task.first = k0 == 0;
    task.rectify = last && activation == Activation::relu;
    for (Index j = 0; j < n; j += wide) {
      const Index columns = n - j < wide ? n - j : wide;
      const Matrix<T> b_block = {b.data + k0 * b.row_stride + j * b.column_stride, b.row_stride, b.column_stride};
      for (Index i = 0; i < m; i += high) {
        const Index rows = m - i < high ? m - i : high;
        const Matrix<T> a_block = {a.data + i * a.row_stride + k0 * a.column_stride, a.row_stride, a.column_stride};
        task.c = c + i * ldc + j;
        block_product(task, settle(a_block, rows, depth, columns, pack + b_elements<T>), b_block,
                      last && bias != nullptr ? bias + j : nullptr, rows, columns, pack, panel_stride, i == 0, far);
      }
    }
    k0 += depth;
  } while (k0 < k);
}

// Columns fewer than a vector would leave lanes idle. Where A's columns are contiguous, C's transpose is computed
// instead.
template <class T>
void gemm(T* c, Index ldc, Matrix<T> a, Matrix<T> b, const T* bias, Activation activation, Index m, Index n, Index k,
          T* pack) {
  const bool narrow = n < tile_columns<T> && n % lanes<T> != 0 && m >= tile_columns<T>;
  if (!narrow || a.row_stride != 1 || bias != nullptr || activation != Activation::linear) {
    return product(c, ldc, a, b, bias, activation, m, n, k, pack);
  }
  constexpr Index width = 256;
  T* const transposed = pack + b_elements<T> + a_elements<T> - tile_columns<T> * width;
  for (Index i = 0; i < m; i += width) {
    const Index rows = m - i < width ? m - i : width;
    product<T>(transposed, width, {b.data, b.column_stride, b.row_stride}, {a.data + i, a.column_stride, 1}, nullptr,
               activation, n, rows, k, pack);
    transpose_copy(c + i * ldc, ldc, transposed, width, rows, n, n);
  }
}

template <class T>
constexpr GemmKernels<T> gemm_kernels = {gemm<T>, tile_columns<T>, pack_bytes<T>};

}  // namespace
}  // namespace flyball
