// Products that the tiles of gemm.h suit badly: of a single row, and with few columns.
#pragma once

#include "flyball/types.h"
#include "kernels/gemm.h"

namespace flyball {

// The most columns, and the longest rows of A, that few_columns takes.
inline constexpr Index few_columns_at_most = 4;
inline constexpr Index few_columns_depth = 8 * 1024;

// The gradients of a product x @ w of few columns: dx (m, k) = dy (m, n) @ w.T, where x (m, k) is not zero if gated and
// elsewhere 0, and dw (k, n) = x.T @ dy. Rows of dx, x and dw are contiguous, and so many elements apart.
template <class T>
struct FewGradients {
  T* dx;
  Index dx_stride;
  T* dw;
  Index dw_stride;
  Matrix<T> dy;
  const T* x;
  Index x_stride;
  Matrix<T> w;
  Index m, k, n;
  bool gated;
};

template <class T>
struct SlimKernels {
  // c (n,) = epilogue(a (k,) @ b (k, n)); rows of b contiguous. The same chains of multiply-adds as
  // GemmKernels::gemm, so the same bits.
  void (*row_product)(T* c, const T* a, Index a_stride, const T* b, Index b_stride, Epilogue<T> epilogue, Index n,
                      Index k);
  // c (m, n; rows ldc apart) = epilogue(a (m, k; rows lda apart, contiguous) @ b (k, n)). An element's bits depend on
  // its row of a and column of b alone. `pack` is scratch of most_pack_bytes.
  void (*few_columns)(T* c, Index ldc, const T* a, Index lda, Matrix<T> b, Epilogue<T> epilogue, Index m, Index n,
                      Index k, T* pack);
  // The same chains of multiply-adds as GemmKernels::gemm. `scratch` is of most_pack_bytes.
  void (*few_gradients)(const FewGradients<T>& task, T* scratch);
  // out (rows, columns; rows out_stride apart) = transpose of in (columns, rows; rows in_stride apart)
  void (*transpose)(T* out, Index out_stride, const T* in, Index in_stride, Index rows, Index columns);
  Index lanes;
};

}  // namespace flyball
