// Whether numbers are finite. Included by *.kernel.h only: see variant.h.
#pragma once

#include "kernels/simd.h"

namespace flyball {
namespace {

// Whether none of so many elements is inf or nan: those alone are not zero times zero.
template <class T>
bool all_finite(const T* x, Index count) {
  constexpr int chains = 4;
  Vec<T> sum[chains] = {};
  Index i = 0;
  for (; i + chains * lanes<T> <= count; i += chains * lanes<T>) {
#pragma GCC unroll 4
    for (int u = 0; u < chains; ++u) sum[u] += load(x + i + u * lanes<T>) * zero<T>();
  }
  for_each_vector<T>(count - i, [&](auto part, Index j) { sum[0] += part.load(x + i + j) * zero<T>(); });
  return fold<T>((sum[0] + sum[1]) + (sum[2] + sum[3]), [](auto a, auto b) { return a + b; }) == 0;
}

}  // namespace
}  // namespace flyball
