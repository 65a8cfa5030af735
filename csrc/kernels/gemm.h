// The matrix product on one thread.
#pragma once

#include "flyball/types.h"

namespace flyball {

// The most that a level asks for in GemmKernels::pack_bytes.
inline constexpr std::size_t most_pack_bytes = 640 * 1024;

template <class T>
struct GemmKernels {
  // c (m, n; rows ldc apart) = activation(a (m, k) @ b (k, n) + bias (n,)); bias may be null.
  // Each element of c is one chain of multiply-adds over k in order, so any partition of c gives the same bits.
  // `pack` is scratch of pack_bytes.
  void (*gemm)(T* c, Index ldc, Matrix<T> a, Matrix<T> b, const T* bias, Activation activation, Index m, Index n,
               Index k, T* pack);
  Index tile_rows;     // rows and columns of c that the micro-kernel computes at once: multiples of these make
  Index tile_columns;  // good shares for threads
  std::size_t pack_bytes;
};

}  // namespace flyball
