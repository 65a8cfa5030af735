// Products whose left factor is mostly zeros: what ReLU and dropout leave of a batch, one-hot columns of a table.
#pragma once

#include "flyball/types.h"
#include "kernels/gemm.h"

namespace flyball {

template <class T>
struct SparseKernels {
  // The same as GemmKernels::gemm, passing over the zeros of a, whose rows or columns are contiguous. The same chains
  // of multiply-adds but for those that add a zero, so the same bits; only the sign of a zero may be another, where
  // everything that was added to it underflowed. Where b has inf or nan, nothing is passed over.
  void (*product)(T* c, Index ldc, Matrix<T> a, Matrix<T> b, Epilogue<T> epilogue, Index m, Index n, Index k, T* pack);
};

}  // namespace flyball
