// The register tile of the matrix product: ROWS x VECTORS vectors of C, and what is done to them before they are
// stored.
//
// Per step of k it loads VECTORS vectors of B, broadcasts ROWS elements of A and issues ROWS * VECTORS multiply-adds.
// With 32 vector registers 12 x 2 of them are C (2 for B, broadcasts from memory); with 16, 6 x 2 (2 for B, 1 for a
// broadcast).
#pragma once

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

// Few rows take tiles of four vectors instead: one row of two vectors is too few independent chains.
constexpr int wide_vectors = 4;
constexpr int wide_rows = tile_rows / 2;

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
  Index columns;  // valid columns of the last vector
  bool first;     // first block of k: start from zero
  bool rectify;   // last block of k, and the activation is relu
};

// C[ROWS, VECTORS] += A[ROWS, depth] @ B[depth, VECTORS].
template <int ROWS, int VECTORS, class T>
FLYBALL_INLINE void tile_product(Vec<T> (&c)[ROWS][VECTORS], const T* a, Index row_stride, Index column_stride,
                                 const T* b, Index ldb, Index depth) {
  // x86 addresses base + {1, 2, 4} * stride: three rows a pointer, or the registers would not suffice.
  constexpr int group = 3;
  constexpr int groups = (ROWS + group - 1) / group;
  const T* row[groups];
#pragma GCC unroll 4
  for (int g = 0; g < groups; ++g) row[g] = a + g * group * row_stride;
  for (Index k = 0; k < depth; ++k) {
    Vec<T> b_row[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; ++v) b_row[v] = load(b + v * lanes<T>);
    b += ldb;
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
      const Vec<T> x = broadcast(row[i / group][i % group * row_stride]);
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; ++v) c[i][v] += x * b_row[v];
    }
#pragma GCC unroll 4
    for (int g = 0; g < groups; ++g) {
      row[g] += column_stride;
      asm("" : "+r"(row[g]));  // or the compiler makes one pointer and twelve offsets of them
    }
  }
}

// What follows the last step of k, in registers: the place for whatever a product is fused with.
template <int ROWS, int VECTORS, class T>
FLYBALL_INLINE void finish(Vec<T> (&c)[ROWS][VECTORS], const TileTask<T>& task) {
  if (task.bias != nullptr) {
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; ++v) {
      const T* p = task.bias + v * lanes<T>;
      const Vec<T> bias = v + 1 < VECTORS || task.columns == lanes<T> ? load(p) : load_partial(p, task.columns);
#pragma GCC unroll 16
      for (int i = 0; i < ROWS; ++i) c[i][v] += bias;
    }
  }
  if (task.rectify) {
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; ++v) c[i][v] = relu(c[i][v]);
    }
  }
}

template <int ROWS, int VECTORS, class T>
void tile(const TileTask<T>& task) {
  constexpr int whole_vectors = VECTORS - 1;
  const bool whole = task.columns == lanes<T>;
  Vec<T> c[ROWS][VECTORS];
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; ++i) {
    prefetch_to_write(task.c + i * task.ldc);
    if (VECTORS > 1) prefetch_to_write(task.c + i * task.ldc + whole_vectors * lanes<T>);
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; ++v) c[i][v] = zero<T>();
  }
  if (!task.first) {
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
      const T* p = task.c + i * task.ldc;
#pragma GCC unroll 4
      for (int v = 0; v < whole_vectors; ++v) c[i][v] = load(p + v * lanes<T>);
      p += whole_vectors * lanes<T>;
      c[i][whole_vectors] = whole ? load(p) : load_partial(p, task.columns);
    }
  }
  tile_product<ROWS, VECTORS, T>(c, task.a, task.a_row_stride, task.a_column_stride, task.b, task.ldb, task.depth);
  finish<ROWS, VECTORS, T>(c, task);
  T* last = task.c + whole_vectors * lanes<T>;
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < whole_vectors; ++v) store(task.c + i * task.ldc + v * lanes<T>, c[i][v]);
  }
  if (whole) {
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) store(last + i * task.ldc, c[i][whole_vectors]);
  } else {
    Vec<T> rest[ROWS];  // a copy: an array that is indexed by a variable does not stay in registers
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) rest[i] = c[i][whole_vectors];
#pragma GCC unroll 1
    for (int i = 0; i < ROWS; ++i) store_partial(last + i * task.ldc, rest[i], task.columns);
  }
}

// The tile for a number of rows known at run time.
template <int ROWS, int VECTORS, class T>
void tile_of(Index rows, const TileTask<T>& task) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return tile_of<ROWS - 1, VECTORS, T>(rows, task);
  }
  tile<ROWS, VECTORS, T>(task);
}

}  // namespace
}  // namespace flyball
