// Sums of products along rows, four at a time. Included by *.kernel.h only: see variant.h.
#pragma once

#include "kernels/simd.h"

namespace flyball {
namespace {

constexpr int four = 4;
// Two chains of multiply-adds for each sum.
constexpr int chains = 2;
template <class T>
constexpr Index step = chains * lanes<T>;

// The length of a row of so many elements with the zeros behind them, whole steps.
template <class T>
constexpr Index padded(Index depth) {
  return (depth + step<T> - 1) / step<T> * step<T>;
}

// Elements of v and of w in turn, of the lower or the upper halves of all 16 bytes of them.
template <int UPPER, class V, int... I>
FLYBALL_INLINE V interleave(V v, V w, Lanes<I...>) {
  constexpr int size = sizeof...(I);
  constexpr int group = 16 * size / static_cast<int>(sizeof(V));
  return __builtin_shufflevector(v, w, (I % 2 * size + I / group * group + I % group / 2 + UPPER * group / 2)...);
}

// Sums of two of each 16 bytes' elements: of v, w, v, w, ...
template <class T>
FLYBALL_INLINE Vec<T> add_within(Vec<T> v, Vec<T> w) {
  using All = typename LanesUpTo<static_cast<int>(lanes<T>)>::type;
  return interleave<0>(v, w, All{}) + interleave<1>(v, w, All{});
}

// Stores the sum of all 16 bytes of v.
template <class T, std::size_t bytes = FLYBALL_VECTOR_BYTES>
FLYBALL_INLINE void store_sum(T* sum, typename VectorOfBytes<T, bytes>::type v) {
  if constexpr (bytes > 16) {
    typename VectorOfBytes<T, bytes / 2>::type half[2];
    __builtin_memcpy(half, &v, bytes);
    store_sum<T, bytes / 2>(sum, half[0] + half[1]);
  } else {
    __builtin_memcpy(sum, &v, bytes);
  }
}

// The total of the lanes of each of four vectors: they become one before it is halved. Halving each first took 1.03 to
// 1.15 times as long with AVX-512, the products as a whole.
FLYBALL_INLINE void store_totals(float* totals, const Vec<float> (&v)[four]) {
  using All = typename LanesUpTo<static_cast<int>(lanes<double>)>::type;
  const Vec<double> pairs[2] = {(Vec<double>)add_within<float>(v[0], v[1]), (Vec<double>)add_within<float>(v[2], v[3])};
  store_sum<float>(totals, (Vec<float>)interleave<0>(pairs[0], pairs[1], All{}) +
                               (Vec<float>)interleave<1>(pairs[0], pairs[1], All{}));
}
FLYBALL_INLINE void store_totals(double* totals, const Vec<double> (&v)[four]) {
  store_sum<double>(totals, add_within<double>(v[0], v[1]));
  store_sum<double>(totals + 2, add_within<double>(v[2], v[3]));
}

template <class T>
FLYBALL_INLINE void store_totals(T (&totals)[four], const Vec<T> (&sum)[four][chains]) {
  Vec<T> both[four];
#pragma GCC unroll 4
  for (int u = 0; u < four; ++u) both[u] = sum[u][0] + sum[u][1];
  store_totals(totals, both);
}

// Of ROWS rows of A with COLUMNS rows of B, which are padded: the sum of row r and column j is total r * COLUMNS + j.
template <int ROWS, int COLUMNS, class T>
FLYBALL_INLINE void four_products(T (&totals)[four], const T* const (&a)[ROWS], const T* const (&b)[COLUMNS],
                                  Index depth) {
  static_assert(ROWS * COLUMNS <= four);
  const Index whole = depth / step<T> * step<T>;
  const Index rest = depth - whole;
  Vec<T> sum[four][chains] = {};
  Index k = 0;
  const auto multiply_add = [&](int v, const Vec<T>(&x)[ROWS]) FLYBALL_INLINE_LAMBDA {
#pragma GCC unroll 4
    for (int j = 0; j < COLUMNS; ++j) {
      const Vec<T> y = load(b[j] + k + v * lanes<T>);
#pragma GCC unroll 4
      for (int r = 0; r < ROWS; ++r) sum[r * COLUMNS + j][v] += x[r] * y;
    }
  };
  Vec<T> x[ROWS];
  for (; k < whole; k += step<T>) {
#pragma GCC unroll 2
    for (int v = 0; v < chains; ++v) {
#pragma GCC unroll 4
      for (int r = 0; r < ROWS; ++r) x[r] = load(a[r] + k + v * lanes<T>);
      multiply_add(v, x);
    }
  }
  if (rest > 0) {
#pragma GCC unroll 4
    for (int r = 0; r < ROWS; ++r) x[r] = load_partial(a[r] + k, rest < lanes<T> ? rest : lanes<T>);
    multiply_add(0, x);
  }
  if (rest > lanes<T>) {
#pragma GCC unroll 4
    for (int r = 0; r < ROWS; ++r) x[r] = load_partial(a[r] + k + lanes<T>, rest - lanes<T>);
    multiply_add(1, x);
  }
  store_totals(totals, sum);
}

// Of a row of A with four rows of B, all of so many whole vectors.
template <int VECTORS, class T>
FLYBALL_INLINE void four_products(T (&totals)[four], const Vec<T> (&a)[VECTORS], const T* const (&b)[four]) {
  Vec<T> sum[four][chains] = {};
#pragma GCC unroll 16
  for (int v = 0; v < VECTORS; ++v) {
#pragma GCC unroll 4
    for (int j = 0; j < four; ++j) sum[j][v % chains] += a[v] * load(b[j] + v * lanes<T>);
  }
  store_totals(totals, sum);
}

}  // namespace
}  // namespace flyball
