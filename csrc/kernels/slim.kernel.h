// Slim products. Compiled once per instruction set: see variant.h.
#include "kernels/epilogue.kernel.h"
#include "kernels/few_columns.kernel.h"
#include "kernels/simd.h"
#include "kernels/slim.h"
#include "kernels/transpose.kernel.h"

namespace flyball {
namespace {

// A single row takes eight vectors at once: gemm's two are too few independent chains, and wide runs of b stream.
constexpr int row_vectors = 8;

// VECTORS of c; of the last, `columns` elements. Partial ones read no byte beyond the end of a row of b.
template <int VECTORS, class T>
FLYBALL_INLINE void row_vectors_product(T* c, const T* a, Index a_stride, const T* b, Index b_stride,
                                        const Epilogue<T>& epilogue, Index columns, Index k) {
  const RowOfVectors<VECTORS, T> columns_of_row{columns};
  Vec<T> sum[1][VECTORS] = {};
  for (Index i = 0; i < k; ++i, b += b_stride) {
    const Vec<T> x = broadcast(a[i * a_stride]);
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; ++v) sum[0][v] += x * columns_of_row(b, v);
  }
  finish(sum, epilogue, columns_of_row);
  columns_of_row.store_row(c, sum[0]);
}

// The columns that are left, in as many vectors as they take.
template <int VECTORS, class T>
void rest_of_row(T* c, const T* a, Index a_stride, const T* b, Index b_stride, const Epilogue<T>& epilogue, Index n,
                 Index k) {
  if constexpr (VECTORS > 1) {
    if (n <= (VECTORS - 1) * lanes<T>) {
      return rest_of_row<VECTORS - 1>(c, a, a_stride, b, b_stride, epilogue, n, k);
    }
  }
  row_vectors_product<VECTORS>(c, a, a_stride, b, b_stride, epilogue, n - (VECTORS - 1) * lanes<T>, k);
}

template <class T>
void row_product(T* c, const T* a, Index a_stride, const T* b, Index b_stride, Epilogue<T> epilogue, Index n, Index k) {
  constexpr Index step = row_vectors * lanes<T>;
  Index j = 0;
  for (; j + step <= n; j += step) {
    row_vectors_product<row_vectors>(c + j, a, a_stride, b + j, b_stride, epilogue.from(j), lanes<T>, k);
  }
  if (j < n) rest_of_row<row_vectors>(c + j, a, a_stride, b + j, b_stride, epilogue.from(j), n - j, k);
}

// Squares of lanes x lanes are transposed in registers.
template <class T>
void transpose_copy(T* out, Index out_stride, const T* in, Index in_stride, Index rows, Index columns) {
  constexpr Index side = lanes<T>;
  for (Index j = 0; j < columns; j += side) {
    const Index in_rows = columns - j < side ? columns - j : side;
    for (Index i = 0; i < rows; i += side) {
      const Index in_columns = rows - i < side ? rows - i : side;
      Vec<T> square[side];
      for (Index s = 0; s < side; ++s) {
        square[s] = s < in_rows ? load_partial(in + (j + s) * in_stride + i, in_columns) : zero<T>();
      }
      transpose<T>(square);
      for (Index s = 0; s < in_columns; ++s) store_partial(out + (i + s) * out_stride + j, square[s], in_rows);
    }
  }
}

template <class T>
constexpr SlimKernels<T> slim_kernels = {row_product<T>, few_columns<T>, few_gradients<T>, transpose_copy<T>, lanes<T>};

}  // namespace
}  // namespace flyball
