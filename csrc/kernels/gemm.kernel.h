// Matrix product. Compiled once per instruction set: see variant.cpp.
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

template <class T>
constexpr std::size_t pack_bytes = block_depth * tile_columns<T> * sizeof(T);

// Below this many rows a panel is not read often enough to pay for packing it.
constexpr Index pack_rows = 2 * tile_rows;

// C[ROWS, 2 vectors] (+)= A[ROWS, k] @ B[k, 2 vectors].
template <int ROWS, class T>
FLYBALL_INLINE void tile_product(Vec<T> (&left)[ROWS], Vec<T> (&right)[ROWS], const T* a, Index row_stride,
                                 Index column_stride, const T* b, Index ldb, Index depth) {
  for (Index k = 0; k < depth; ++k) {
    const Vec<T> b_left = load(b);
    const Vec<T> b_right = load(b + lanes<T>);
    b += ldb;
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
      const Vec<T> x = broadcast(a[i * row_stride]);
      left[i] += x * b_left;
      right[i] += x * b_right;
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
  const T* bias;  // null unless this is the last block of k and there is one
  Index depth;
  Index columns;  // valid columns, at most tile_columns
  bool first;     // first block of k: start from zero
  bool rectify;   // last block of k, and the activation is relu
};

template <int ROWS, class T>
void tile(const TileTask<T>& task) {
  Vec<T> left[ROWS];
  Vec<T> right[ROWS];
  const bool whole = task.columns == tile_columns<T>;
  const Index in_left = task.columns < lanes<T> ? task.columns : lanes<T>;
  const Index in_right = task.columns - in_left;
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; ++i) {
    const T* c = task.c + i * task.ldc;
    left[i] = task.first ? zero<T>() : whole ? load(c) : load_partial(c, in_left);
    right[i] = task.first ? zero<T>() : whole ? load(c + lanes<T>) : load_partial(c + lanes<T>, in_right);
  }
  tile_product<ROWS, T>(left, right, task.a, task.a_row_stride, task.a_column_stride, task.b, task.ldb, task.depth);
  if (task.bias != nullptr) {
    const Vec<T> bias_left = whole ? load(task.bias) : load_partial(task.bias, in_left);
    const Vec<T> bias_right = whole ? load(task.bias + lanes<T>) : load_partial(task.bias + lanes<T>, in_right);
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
      left[i] += bias_left;
      right[i] += bias_right;
    }
  }
  if (task.rectify) {
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
      left[i] = relu(left[i]);
      right[i] = relu(right[i]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; ++i) {
    T* c = task.c + i * task.ldc;
    if (whole) {
      store(c, left[i]);
      store(c + lanes<T>, right[i]);
    } else {
      store_partial(c, left[i], in_left);
      store_partial(c + lanes<T>, right[i], in_right);
    }
  }
}

// The tile for a number of rows known at run time.
template <int ROWS, class T>
void tile_of(Index rows, const TileTask<T>& task) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return tile_of<ROWS - 1, T>(rows, task);
  }
  tile<ROWS, T>(task);
}

// pack[k, 0:tile_columns] = b[k, 0:columns], zeros beyond.
template <class T>
void pack_panel(T* pack, const T* b, Index row_stride, Index column_stride, Index depth, Index columns) {
  for (Index k = 0; k < depth; ++k) {
    for (Index j = 0; j < tile_columns<T>; ++j) {
      pack[k * tile_columns<T> + j] = j < columns ? b[k * row_stride + j * column_stride] : T(0);
    }
  }
}

template <class T>
void gemm(T* c, Index ldc, Matrix<T> a, Matrix<T> b, const T* bias, Activation activation, Index m, Index n, Index k,
          T* pack) {
  // An empty inner dimension still writes activation(bias): one block of depth 0.
  Index k0 = 0;
  do {
    const Index depth = k - k0 < block_depth ? k - k0 : block_depth;
    const bool last = k0 + depth == k;
    for (Index j = 0; j < n; j += tile_columns<T>) {
      const Index columns = n - j < tile_columns<T> ? n - j : tile_columns<T>;
      TileTask<T> task{};
      task.b = b.data + k0 * b.row_stride + j * b.column_stride;
      task.ldb = b.row_stride;
      if (m > pack_rows || b.column_stride != 1 || columns < tile_columns<T>) {
        pack_panel(pack, task.b, b.row_stride, b.column_stride, depth, columns);
        task.b = pack;
        task.ldb = tile_columns<T>;
      }
      task.ldc = ldc;
      task.a_row_stride = a.row_stride;
      task.a_column_stride = a.column_stride;
      task.bias = last && bias != nullptr ? bias + j : nullptr;
      task.depth = depth;
      task.columns = columns;
      task.first = k0 == 0;
      task.rectify = last && activation == Activation::relu;
      for (Index i = 0; i < m; i += tile_rows) {
        task.c = c + i * ldc + j;
        task.a = a.data + i * a.row_stride + k0 * a.column_stride;
        tile_of<tile_rows, T>(m - i < tile_rows ? m - i : tile_rows, task);
      }
    }
    k0 += depth;
  } while (k0 < k);
}

template <class T>
constexpr GemmKernels<T> gemm_kernels = {gemm<T>, tile_rows, tile_columns<T>, pack_bytes<T>};

}  // namespace
}  // namespace flyball
