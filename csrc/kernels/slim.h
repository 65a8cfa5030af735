// Products that the tiles of gemm.h suit badly: of a single row, and with few columns.
#pragma once

#include "flyball/types.h"
#include "kernels/gemm.h"

namespace flyball {

template <class T>
struct SlimKernels {
  // c (n,) = epilogue(a (k,) @ b (k, n)); rows of b contiguous. The same chains of multiply-adds as
  // GemmKernels::gemm, so the same bits.
  void (*row_product)(T* c, const T* a, Index a_stride, const T* b, Index b_stride, Epilogue<T> epilogue, Index n,
                      Index k);
  // out (rows, columns; rows out_stride apart) = transpose of in (columns, rows; rows in_stride apart)
  void (*transpose)(T* out, Index out_stride, const T* in, Index in_stride, Index rows, Index columns);
  Index lanes;
};

}  // namespace flyball
