// What becomes of the sums of a product while they are in registers.
#pragma once

#include "kernels/gemm.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

// Asks for what finish will add to rows [i, i + ROWS).
template <int ROWS, int VECTORS, class T>
FLYBALL_INLINE void ask_for_added(const Epilogue<T>& epilogue, Index i) {
  if (epilogue.added == nullptr) return;
  constexpr Index line = 64 / static_cast<Index>(sizeof(T));
#pragma GCC unroll 16
  for (int r = 0; r < ROWS; ++r) {
    const T* const row = epilogue.added + (i + r) * epilogue.added_stride;
#pragma GCC unroll 8
    for (Index j = 0; j < VECTORS * lanes<T>; j += line) __builtin_prefetch(row + j);
  }
}

// Loads and stores a row of VECTORS, of the last of which `columns` elements are there.
template <int VECTORS, class T>
struct RowOfVectors {
  Index columns;
  bool whole = columns == lanes<T>;

  FLYBALL_INLINE Vec<T> operator()(const T* p, int v) const {
    return whole || v + 1 < VECTORS ? load(p + v * lanes<T>) : load_partial(p + v * lanes<T>, columns);
  }
  FLYBALL_INLINE void store_row(T* p, const Vec<T> (&row)[VECTORS]) const {
#pragma GCC unroll 8
    for (int v = 0; v + 1 < VECTORS; ++v) store(p + v * lanes<T>, row[v]);
    if (whole) {
      store(p + (VECTORS - 1) * lanes<T>, row[VECTORS - 1]);
    } else {
      store_partial(p + (VECTORS - 1) * lanes<T>, row[VECTORS - 1], columns);
    }
  }
};

// c = epilogue(c), a tile whose first row and column are the epilogue's; load_vector(p, v) loads vector v from p on.
template <int ROWS, int VECTORS, class T, class Load>
FLYBALL_INLINE void finish(Vec<T> (&c)[ROWS][VECTORS], const Epilogue<T>& epilogue, Load load_vector) {
  const auto [scales, shifts, activation, added, added_stride] = epilogue;
  if (scales != nullptr) {
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; ++v) {
      const Vec<T> scale = load_vector(scales, v);
      const Vec<T> shift = load_vector(shifts, v);
#pragma GCC unroll 16
      for (int i = 0; i < ROWS; ++i) c[i][v] = c[i][v] * scale + shift;
    }
  } else if (shifts != nullptr) {
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; ++v) {
      const Vec<T> shift = load_vector(shifts, v);
#pragma GCC unroll 16
      for (int i = 0; i < ROWS; ++i) c[i][v] += shift;
    }
  }
  if (added != nullptr) {
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < VECTORS; ++v) c[i][v] += load_vector(added + i * added_stride, v);
    }
  }
  if (activation == Activation::relu) {
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < VECTORS; ++v) c[i][v] = relu(c[i][v]);
    }
  }
}

}  // namespace
}  // namespace flyball
