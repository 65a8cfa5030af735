// Matrix product. Compiled once per instruction set: see variant.h.
//
// Register tile: MR rows x 2 vectors of C. Per step of k it loads two vectors of B, broadcasts MR elements of A and
// issues 2 * MR multiply-adds. With 32 vector registers MR = 12 (24 accumulators, 2 for B, broadcasts from memory);
// with 16, MR = 6 (12 + 2 + 1). A needs no packing: its elements are broadcast, and any stride will do.
#include "kernels/gemm.h"
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

// A panel of B (block_depth x tile_columns) stays in the first-level cache while the rows of A pass by.
constexpr Index block_depth = 256;

// Rows of A that stay in the second-level cache, block_depth deep, while the panels of B pass by.
constexpr Index block_rows = 20 * tile_rows;

// Rows this many bytes apart fall into so few sets of the first-level cache that a tile's rows evict each other: such
// blocks of A are copied to rows that lie a vector further apart.
constexpr Index colliding_bytes = 2048;

template <class T>
constexpr Index copied_stride = block_depth + lanes<T>;

// Scratch: a panel of B, then a block of A.
template <class T>
constexpr Index panel_elements = block_depth * tile_columns<T>;
template <class T>
constexpr std::size_t pack_bytes = (panel_elements<T> + block_rows * copied_stride<T>)*sizeof(T);
static_assert(pack_bytes<float> <= most_pack_bytes && pack_bytes<double> <= most_pack_bytes);

// Below this many rows a panel is not read often enough to pay for packing it.
constexpr Index pack_rows = 2 * tile_rows;

// C[ROWS, VECTORS] += A[ROWS, depth] @ B[depth, VECTORS].
template <int ROWS, int VECTORS, class T>
FLYBALL_INLINE void tile_product(Vec<T> (&c)[ROWS][VECTORS], const T* a, Index row_stride, Index column_stride,
                                 const T* b, Index ldb, Index depth) {
  for (Index k = 0; k < depth; ++k) {
    Vec<T> b_row[VECTORS];
#pragma GCC unroll 2
    for (int v = 0; v < VECTORS; ++v) b_row[v] = load(b + v * lanes<T>);
    b += ldb;
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
      const Vec<T> x = broadcast(a[i * row_stride]);
#pragma GCC unroll 2
      for (int v = 0; v < VECTORS; ++v) c[i][v] += x * b_row[v];
    }
    a += column_stride;
  }
}

template <class T>
struct TileTask {
  T* c;
  Index ldc;
  const T* a;
  Index a_row_stride;
  Index a_column_stride;
  const T* b;
  Index ldb;
  Epilogue<T> epilogue;  // absent unless this is the last block of k
  Index depth;
  Index columns;  // valid columns of the last vector
  bool first;     // first block of k: start from zero
};

template <int ROWS, int VECTORS, class T>
void tile(const TileTask<T>& task) {
  Vec<T> c[ROWS][VECTORS];
  const bool whole = task.columns == lanes<T>;
  const auto load_vector = [&](const T* p, int v) {
    return whole || v + 1 < VECTORS ? load(p + v * lanes<T>) : load_partial(p + v * lanes<T>, task.columns);
  };
  if (task.first) {
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < VECTORS; ++v) c[i][v] = zero<T>();
    }
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < VECTORS; ++v) c[i][v] = load_vector(task.c + i * task.ldc, v);
    }
  }
  tile_product<ROWS, VECTORS, T>(c, task.a, task.a_row_stride, task.a_column_stride, task.b, task.ldb, task.depth);
  const auto [scales, shifts, activation] = task.epilogue;
  if (scales != nullptr) {
#pragma GCC unroll 2
    for (int v = 0; v < VECTORS; ++v) {
      const Vec<T> scale = load_vector(scales, v);
      const Vec<T> shift = load_vector(shifts, v);
#pragma GCC unroll 16
      for (int i = 0; i < ROWS; ++i) c[i][v] = c[i][v] * scale + shift;
    }
  } else if (shifts != nullptr) {
#pragma GCC unroll 2
    for (int v = 0; v < VECTORS; ++v) {
      const Vec<T> shift = load_vector(shifts, v);
#pragma GCC unroll 16
      for (int i = 0; i < ROWS; ++i) c[i][v] += shift;
    }
  }
  const bool rectify = activation == Activation::relu;
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < VECTORS; ++v) {
      T* p = task.c + i * task.ldc + v * lanes<T>;
      const Vec<T> value = rectify ? relu(c[i][v]) : c[i][v];
      if (whole || v + 1 < VECTORS) {
        store(p, value);
      } else {
        store_partial(p, value, task.columns);
      }
    }
  }
}

// The tile for a number of rows known at run time.
// From here to gemm each function is called in one place, so that the compiler makes one function of all. Variants with
// a second caller took 10 % longer for 128, 256, 10; that the outlined tiles were why is likely, not shown.
template <int ROWS, int VECTORS, class T>
void tile_of(Index rows, const TileTask<T>& task) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return tile_of<ROWS - 1, VECTORS, T>(rows, task);
  }
  tile<ROWS, VECTORS, T>(task);
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

// The same of a transposed b, whose columns are contiguous: squares of lanes x lanes are transposed in registers.
template <class T>
void pack_columns_of(T* pack, const T* b, Index column_stride, Index depth, Index columns, Index width) {
  constexpr int side = static_cast<int>(lanes<T>);
  for (Index j = 0; j < width; j += side) {
    for (Index k = 0; k < depth; k += side) {
      const Index in_depth = depth - k < side ? depth - k : side;
      const Index in_columns = columns - j < side ? columns - j : side;
      const T* corner = b + j * column_stride + k;
      Vec<T> square[side];
      if (in_depth == side && in_columns == side) {
#pragma GCC unroll 16
        for (int i = 0; i < side; ++i) square[i] = load(corner + i * column_stride);
      } else {
        for (int i = 0; i < side; ++i) {
          square[i] = i < in_columns ? load_partial(corner + i * column_stride, in_depth) : zero<T>();
        }
      }
      transpose<T>(square);
      T* out = pack + k * width + j;
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

// One block of k for one panel of columns, VECTORS wide.
template <int VECTORS, class T>
void panel_product(TileTask<T> task, Matrix<T> a, Index m) {
  T* const c = task.c;
  for (Index i = 0; i < m; i += tile_rows) {
    task.c = c + i * task.ldc;
    task.a = a.data + i * a.row_stride;
    tile_of<tile_rows, VECTORS, T>(m - i < tile_rows ? m - i : tile_rows, task);
  }
}

// The block of A as it is, or copied where its rows would collide in the cache and are read often enough.
template <class T>
Matrix<T> settle(Matrix<T> a, Index m, Index depth, Index n, T* copy) {
  const bool collides = a.column_stride == 1 && a.row_stride * static_cast<Index>(sizeof(T)) % colliding_bytes == 0;
  if (!collides || n < 4 * tile_columns<T>) return a;
  for (Index i = 0; i < m; ++i) {
    for_each_vector<T>(depth, [&](auto part, Index k) {
      part.store(copy + i * copied_stride<T> + k, part.load(a.data + i * a.row_stride + k));
    });
  }
  return {copy, copied_stride<T>, 1};
}

// One block of k for one block of rows. `task` says what is the same for all tiles; c and epilogue are the block's.
template <class T>
void block_product(TileTask<T> task, Matrix<T> a, Matrix<T> b, Index m, Index n, T* pack) {
  T* const c = task.c;
  const Epilogue<T> epilogue = task.epilogue;
  for (Index j = 0; j < n; j += tile_columns<T>) {
    const Index columns = n - j < tile_columns<T> ? n - j : tile_columns<T>;
    const Index width = columns > lanes<T> ? tile_columns<T> : lanes<T>;
    task.b = b.data + j * b.column_stride;
    task.ldb = b.row_stride;
    if (m > pack_rows || b.column_stride != 1 || columns < width) {
      pack_panel(pack, task.b, b, task.depth, columns, width);
      task.b = pack;
      task.ldb = width;
    }
    task.c = c + j;
    task.epilogue = epilogue.from(j);
    task.columns = columns - (width - lanes<T>);
    if (width == tile_columns<T>) {
      panel_product<2>(task, a, m);
    } else {
      panel_product<1>(task, a, m);
    }
  }
}

template <class T>
void gemm(T* c, Index ldc, Matrix<T> a, Matrix<T> b, Epilogue<T> epilogue, Index m, Index n, Index k, T* pack) {
  // An empty inner dimension still writes epilogue(0): one block of depth 0.
  Index k0 = 0;
  do {
    const Index depth = k - k0 < block_depth ? k - k0 : block_depth;
    const bool last = k0 + depth == k;
    for (Index i = 0; i < m; i += block_rows) {
      const Index rows = m - i < block_rows ? m - i : block_rows;
      Matrix<T> a_block = {a.data + i * a.row_stride + k0 * a.column_stride, a.row_stride, a.column_stride};
      a_block = settle(a_block, rows, depth, n, pack + panel_elements<T>);
      TileTask<T> task{};
      task.c = c + i * ldc;
      task.ldc = ldc;
      task.a_row_stride = a_block.row_stride;
      task.a_column_stride = a_block.column_stride;
      task.depth = depth;
      task.first = k0 == 0;
      if (last) task.epilogue = epilogue;
      block_product(task, a_block, {b.data + k0 * b.row_stride, b.row_stride, b.column_stride}, rows, n, pack);
    }
    k0 += depth;
  } while (k0 < k);
}

template <class T>
constexpr GemmKernels<T> gemm_kernels = {gemm<T>, tile_rows, tile_columns<T>, pack_bytes<T>};

}  // namespace
}  // namespace flyball
