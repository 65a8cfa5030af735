// Products whose left factor is mostly zeros: what ReLU and dropout leave of a batch, one-hot columns of a table.
#pragma once

#include "flyball/types.h"
#include "kernels/gemm.h"

namespace flyball {

// Runs of consecutive elements in a sample of a matrix, and elements in a run.
inline constexpr Index sample_runs = 32;
inline constexpr Index sample_run = 16;

template <class T>
struct SparseKernels {
  // How many of sample_runs * sample_run elements of a (m, k; rows row_stride apart, contiguous, sample_run or longer)
  // are not zero: runs spread over all of it.
  Index (*sampled_nonzeros)(const T* a, Index row_stride, Index m, Index k);
  // The same as GemmKernels::gemm, passing over the zeros of a, whose rows or columns are contiguous. The same chains
  // of multiply-adds but for those that add a zero, so the same bits; only the sign of a zero may be another, where
  // everything that was added to it underflowed. Where b has inf or nan, nothing is passed over.
  void (*product)(T* c, Index ldc, Matrix<T> a, Matrix<T> b, Epilogue<T> epilogue, Index m, Index n, Index k, T* pack);
};

}  // namespace flyball
