// Products of which few elements are asked for: the gradient of a ReLU's output, which dies where the ReLU is shut.
#pragma once

#include "flyball/types.h"
#include "kernels/gemm.h"

namespace flyball {

template <class T>
struct GatedKernels {
  // c (m, n; rows ldc apart) = a (m, k) @ b.T where gate (m, n) is not zero, elsewhere 0; nan is not zero. The columns
  // of a, b (n, k) and gate are consecutive, and k > 0. An element's bits depend on its rows of a and b alone.
  void (*product)(T* c, Index ldc, Matrix<T> a, Matrix<T> b, Matrix<T> gate, Index m, Index n, Index k, T* pack);
  // c = 0 where gate, of any strides, is zero.
  void (*shut)(T* c, Index ldc, Matrix<T> gate, Index m, Index n);
};

}  // namespace flyball
