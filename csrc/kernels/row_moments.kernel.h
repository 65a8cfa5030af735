// Statistics of rows. Compiled once per instruction set: see variant.h.
#pragma once

#include "kernels/plane_norm.kernel.h"

namespace flyball {
namespace {

// Values that are summed in T before the sums are combined in double.
constexpr Index run_values = 4096;

// Calls body(i, count) for pieces of a row.
template <class Body>
FLYBALL_INLINE void for_each_run(Index columns, Body body) {
  for (Index i = 0; i < columns; i += run_values) body(i, columns - i < run_values ? columns - i : run_values);
}

// Near the mean: the mean of the first quarter. Whatever the row, the sum of squares about it is at most four times
// that about the mean: the same distance is in both, of the n / 4 values here and of all n there. So what is subtracted
// to come from one to the other costs two bits at most; a first value alone could be any distance away.
template <class T>
FLYBALL_INLINE double near_mean(const T* x, Index columns) {
  const Index quarter = (columns + 4 * lanes<T> - 1) / (4 * lanes<T>)*lanes<T>;
  return block_mean(x, 0, 1, quarter < columns ? quarter : columns);
}

// The mean and the sum of squares about it, from sums about *mean, which is near it: one pass where two would be to
// find the mean first. Not inlined: a row must have the same bits alone and among four, and GCC found other
// multiply-adds for four at once.
template <class T>
__attribute__((noinline)) void moments_near(double* mean, double* m2, const T* x, Index columns) {
  const T origin = static_cast<T>(*mean);
  Vec<T> sums[2][chains] = {};
  add_terms<T>(sums, 0, columns, [=](auto part, Index at, Vec<T>* terms) FLYBALL_INLINE_LAMBDA {
    const Vec<T> d = part.load(x + at, origin) - origin;
    terms[0] = d;
    terms[1] = d * d;
  });
  const double sum = total_of<T>(sums[0]);
  const double offset = sum / static_cast<double>(columns);
  const double m = total_of<T>(sums[1]) - sum * offset;
  *mean = static_cast<double>(origin) + offset;
  *m2 = m < 0.0 ? 0.0 : m;
}

template <class T>
FLYBALL_INLINE double row_moments(double* mean, const T* x, Index columns) {
  double m2 = 0.0;
  *mean = 0.0;
  for_each_run(columns, [&](Index i, Index count) {
    double run_mean = near_mean(x + i, count);
    double run_m2;
    moments_near(&run_mean, &run_m2, x + i, count);
    const double share = static_cast<double>(count) / static_cast<double>(i + count);
    const double delta = run_mean - *mean;
    *mean += delta * share;
    m2 += run_m2 + delta * delta * static_cast<double>(i) * share;
  });
  return m2;
}

template <class T>
FLYBALL_INLINE double row_squares(const T* x, Index columns) {
  double total = 0.0;
  for_each_run(columns, [&](Index begin, Index count) {
    Vec<T> sums[1][chains] = {};
    add_terms<T>(sums, begin, count, [&](auto part, Index at, Vec<T>* terms) {
      const Vec<T> v = part.load(x + at);
      terms[0] = v * v;
    });
    total += total_of<T>(sums[0]);
  });
  return total;
}

// Rows of up to this many elements are taken four at a time: their sums are folded side by side, which took a fifth
// less time for rows of 512. Of longer ones each row is taken alone: several would not stay in the caches. Short rows
// go as many at a time as a vector has lanes (short_row.kernel.h).
constexpr Index long_row = run_values;

// Statistics of a batch of rows stand in functions of their own, and a batch is what is common to all lengths of rows:
// they are the larger part of the code, and the same whatever becomes of the rows. Compiled with each of the ways to
// store, scale and shift, they made norm.cpp two thirds of a build.

template <class T>
constexpr Index most_batch = lanes<T> > 4 ? lanes<T> : 4;

// The second moment of each of `count` rows about the mean, which is found as well, or about 0 without `means`.
template <int count, class T>
FLYBALL_INLINE void rows_moments(double* averages, double* m2, bool means, const T* x, Index columns) {
  if (!means) {
    for (int r = 0; r < count; ++r) m2[r] = row_squares(x + r * columns, columns);
  } else if (columns > run_values) {
    for (int r = 0; r < count; ++r) m2[r] = row_moments(averages + r, x + r * columns, columns);
  } else {
    for (int r = 0; r < count; ++r) averages[r] = near_mean(x + r * columns, columns);
    for (int r = 0; r < count; ++r) moments_near(averages + r, m2 + r, x + r * columns, columns);
  }
}

template <class T>
__attribute__((noinline)) void batch_moments(double* averages, double* m2, bool means, const T* x, Index count,
                                             Index columns) {
  if (count == 4) return rows_moments<4>(averages, m2, means, x, columns);
  for (Index r = 0; r < count; ++r) rows_moments<1>(averages + r, m2 + r, means, x + r * columns, columns);
}

}  // namespace
}  // namespace flyball
