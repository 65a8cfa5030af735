// Whether numbers are finite. Included by *.kernel.h only: see variant.h.
#pragma once

#include "kernels/simd.h"

namespace flyball {
namespace {

// Adds the products of so many vectors of each row with zero: none is other than zero if all elements are finite.
template <int VECTORS, class T>
FLYBALL_INLINE Vec<T> rows_times_zero(const T* x, Index stride, Index rows) {
  Vec<T> sum[VECTORS] = {};
  for (Index i = 0; i < rows; ++i, x += stride) {
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; ++v) sum[v] += load(x + v * lanes<T>) * zero<T>();
  }
#pragma GCC unroll 8
  for (int v = 1; v < VECTORS; ++v) sum[0] += sum[v];
  return sum[0];
}

template <class T>
bool is_zero(Vec<T> sums) {
  return fold<T>(sums, [](auto a, auto b) { return a + b; }) == 0;
}

// Whether none of so many elements is inf or nan.
template <class T>
bool all_finite(const T* x, Index count) {
  constexpr int vectors = 4;
  constexpr Index run = vectors * lanes<T>;
  const Index runs = count / run;
  Vec<T> sum = rows_times_zero<vectors>(x, run, runs);
  for_each_vector<T>(count - runs * run, [&](auto part, Index i) { sum += part.load(x + runs * run + i) * zero<T>(); });
  return is_zero<T>(sum);
}

}  // namespace
}  // namespace flyball
