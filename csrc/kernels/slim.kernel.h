// Slim products. Compiled once per instruction set: see variant.h.
#include "kernels/epilogue.kernel.h"
#include "kernels/simd.h"
#include "kernels/slim.h"

namespace flyball {
namespace {

// A single row takes eight vectors at once: gemm's two are too few independent chains, and wide runs of b stream.
constexpr int row_vectors = 8;

template <class T>
constexpr Index row_columns = row_vectors * lanes<T>;

template <class T>
void row_product(T* c, const T* a, Index a_stride, const T* b, Index b_stride, Epilogue<T> epilogue, Index n, Index k) {
  for (Index j = 0; j < n; j += row_columns<T>) {
    Vec<T> sum[1][row_vectors];
#pragma GCC unroll 8
    for (int v = 0; v < row_vectors; ++v) sum[0][v] = zero<T>();
    const T* from = b + j;
    for (Index i = 0; i < k; ++i, from += b_stride) {
      const Vec<T> x = broadcast(a[i * a_stride]);
#pragma GCC unroll 8
      for (int v = 0; v < row_vectors; ++v) sum[0][v] += x * load(from + v * lanes<T>);
    }
    finish(sum, epilogue.from(j), [](const T* p, int v) FLYBALL_INLINE_LAMBDA { return load(p + v * lanes<T>); });
#pragma GCC unroll 8
    for (int v = 0; v < row_vectors; ++v) store(c + j + v * lanes<T>, sum[0][v]);
  }
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
constexpr SlimKernels<T> slim_kernels = {row_product<T>, row_columns<T>, transpose_copy<T>, lanes<T>};

}  // namespace
}  // namespace flyball
