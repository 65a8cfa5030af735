// The matrix product on one thread.
#pragma once

#include "flyball/types.h"

namespace flyball {

// The most that a level asks for in GemmKernels::pack_bytes.
inline constexpr std::size_t most_pack_bytes = 640 * 1024;

// What becomes of a product's columns: activation(scale * product + shift + added). shift (n,) may be null, and so may
// scale (n,), which never comes without a shift, and added (m, n; rows added_stride apart).
template <class T>
struct Epilogue {
  const T* scale = nullptr;
  const T* shift = nullptr;
  Activation activation = Activation::linear;
  const T* added = nullptr;
  Index added_stride = 0;

  // Of the columns from j on.
  FLYBALL_INLINE Epilogue from(Index j) const {
    const auto at = [=](const T* p) { return p == nullptr ? p : p + j; };
    return {at(scale), at(shift), activation, at(added), added_stride};
  }
  // Of the rows from i on.
  FLYBALL_INLINE Epilogue below(Index i) const {
    Epilogue rest = *this;
    if (added != nullptr) rest.added += i * added_stride;
    return rest;
  }
  FLYBALL_INLINE bool absent() const {
    return scale == nullptr && shift == nullptr && activation == Activation::linear && added == nullptr;
  }
};

template <class T>
struct GemmKernels {
  // c (m, n; rows ldc apart) = epilogue(a (m, k) @ b (k, n)), whose activation is linear or relu.
  // Each element of c is one chain of multiply-adds over k in order, so any partition of c gives the same bits.
  // `pack` is scratch of pack_bytes, `cache_bytes` the size of the second-level cache.
  void (*gemm)(T* c, Index ldc, Matrix<T> a, Matrix<T> b, Epilogue<T> epilogue, Index m, Index n, Index k, T* pack,
               Index cache_bytes);
  Index tile_rows;     // rows and columns of c that the micro-kernel computes at once: multiples of these make
  Index tile_columns;  // good shares for threads
  std::size_t pack_bytes;
};

}  // namespace flyball
