// Rows: layer and RMS normalisation. Compiled once per instruction set: see variant.h.
#pragma once

#include "kernels/column_norm.kernel.h"
#include "kernels/plane_norm.kernel.h"
#include "kernels/short_row.kernel.h"
#include "kernels/stream.kernel.h"

namespace flyball {
namespace {

// Values that are summed in T before the sums are combined in double.
constexpr Index run_values = 4096;

// Calls body(i, count) for pieces of a row.
template <class Body>
FLYBALL_INLINE void for_each_run(Index columns, Body body) {
  for (Index i = 0; i < columns; i += run_values) body(i, columns - i < run_values ? columns - i : run_values);
}

template <class T>
FLYBALL_INLINE double row_moments(double* mean, const T* x, Index columns) {
  double m2 = 0.0;
  *mean = 0.0;
  for_each_run(columns, [&](Index i, Index count) {
    double run_mean;
    double run_m2;
    block_moments(&run_mean, &run_m2, x + i, 0, 1, count);
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

// Rows of up to this many elements are taken several at a time: four whose sums are folded side by side, a fifth less
// time for rows of 512; in the backward pass two, so that dgamma and dbeta are touched once for both. Of longer ones
// each row is taken alone: several would not stay in the caches, and rows that are a multiple of a page apart meet in
// one set of the first level. Short rows go as many at a time as a vector has lanes (short_row.kernel.h).
constexpr Index long_row = run_values;

// Statistics of a batch of rows stand in functions of their own, and a batch is what is common to all lengths of rows:
// they are the larger part of the code, and the same whatever becomes of the rows. Compiled with each of the ways to
// store, scale and shift, they made norm.cpp two thirds of a build.

template <class T>
constexpr Index most_batch = lanes<T> > 4 ? lanes<T> : 4;

// Not inlined: a row must have the same bits alone and among four, and GCC found other multiply-adds for four at once.
template <class T>
__attribute__((noinline)) double row_m2(double mean, const T* x, Index columns) {
  return block_m2(mean, x, 0, 1, columns);
}

// The second moment of each of `count` rows about the mean, which is found as well, or about 0 without `means`.
template <int count, class T>
FLYBALL_INLINE void rows_moments(double* averages, double* m2, bool means, const T* x, Index columns) {
  if (!means) {
    for (int r = 0; r < count; ++r) m2[r] = row_squares(x + r * columns, columns);
  } else if (columns > run_values) {
    for (int r = 0; r < count; ++r) m2[r] = row_moments(averages + r, x + r * columns, columns);
  } else {
    for (int r = 0; r < count; ++r) averages[r] = block_mean(x + r * columns, 0, 1, columns);
    for (int r = 0; r < count; ++r) m2[r] = row_m2(averages[r], x + r * columns, columns);
  }
}

template <class T>
__attribute__((noinline)) void batch_moments(double* averages, double* m2, bool means, const T* x, Index count,
                                             Index columns) {
  if (count == 4) return rows_moments<4>(averages, m2, means, x, columns);
  for (Index r = 0; r < count; ++r) rows_moments<1>(averages + r, m2 + r, means, x + r * columns, columns);
}

template <class T>
void row_normalise(T* y, double* mean, double* rstd, const T* x, const T* gamma, const T* beta, double epsilon,
                   Stores stores, Index first, Index period, Index rows, Index columns) {
  const Index batch = columns <= short_row ? lanes<T> : columns <= long_row ? 4 : 1;
  with_stores(stores, y, columns, [&](auto store) {
    with_affine<T>(gamma, beta, [&](auto times, auto plus) {
      Phase phase(first, period, columns);
      for_each_batch(rows, batch, [&](Index i, Index count) FLYBALL_INLINE_LAMBDA {
        double averages[most_batch<T>] = {};
        double m2[most_batch<T>];
        const auto find = columns <= short_row ? short_rows_moments<T> : batch_moments<T>;
        find(averages, m2, mean != nullptr, x + i * columns, count, columns);
        for (Index r = 0; r < count; ++r, phase.next()) {
          const double average = averages[r];
          const double inverse = 1.0 / __builtin_sqrt(m2[r] / static_cast<double>(columns) + epsilon);
          if (mean != nullptr) mean[i + r] = average;
          rstd[i + r] = inverse;
          const T center = static_cast<T>(average);
          const T scale = static_cast<T>(inverse);
          const T shift = static_cast<T>((static_cast<double>(center) - average) * inverse);
          const T* from = x + (i + r) * columns;
          T* to = y + (i + r) * columns;
          const Index at = phase.begin();
          for_each_vector<T>(columns, [&](auto part, Index j) {
            const Vec<T> xhat = (part.load(from + j) - center) * scale + shift;
            store(part, to + j, plus(part, at + j, times(part, at + j, xhat)));
          });
        }
      });
    });
  });
}

// With g = dy * gamma, d = x - center and the rounding r = mean - center: xhat = d * rstd - r * rstd,
//   dx = rstd * (g - sum(g) / D - xhat * sum(g * xhat) / D) = g * rstd + d * scale + shift
// with scale = -rstd**2 * sum(g * xhat) / D, shift = -rstd * sum(g) / D - r * scale; without mean, sum(g) is left out.
template <class T>
struct RowMap {
  T center;
  T rstd;
  T rest;  // xhat = d * rstd + rest
  T scale;
  T shift;
};

// The same in registers: from memory the compiler would load it anew after each store.
template <class T>
struct RowVectors {
  Vec<T> center, rstd, rest, scale, shift;
};

template <class T>
FLYBALL_INLINE RowVectors<T> in_registers(const RowMap<T>& map) {
  return {broadcast(map.center), broadcast(map.rstd), broadcast(map.rest), broadcast(map.scale), broadcast(map.shift)};
}

template <class T>
FLYBALL_INLINE RowMap<T> row_map(RowSums sums, const double* mean, double rstd, Index columns) {
  const double average = mean == nullptr ? 0.0 : *mean;
  const T center = static_cast<T>(average);
  const double rounding = average - static_cast<double>(center);
  const double inverse = 1.0 / static_cast<double>(columns);
  const double scale = -rstd * rstd * rstd * (sums.product - rounding * sums.sum) * inverse;
  const double shift = (mean == nullptr ? 0.0 : -rstd * sums.sum * inverse) - rounding * scale;
  return {center, static_cast<T>(rstd), static_cast<T>(-rounding * rstd), static_cast<T>(scale), static_cast<T>(shift)};
}

template <class T, class Gain>
FLYBALL_INLINE RowSums row_sums(const T* dy, const T* x, Gain gain, Index at_gamma, T center, Index columns) {
  RowSums row{};
  for_each_run(columns, [&](Index begin, Index count) {
    Vec<T> sums[2][chains] = {};
    add_terms<T>(sums, begin, count, [&](auto part, Index at, Vec<T>* terms) {
      const Vec<T> g = gain(part, at_gamma + at, part.load(dy + at));
      terms[0] = g;
      terms[1] = g * (part.load(x + at, center) - center);
    });
    row.sum += total_of<T>(sums[0]);
    row.product += total_of<T>(sums[1]);
  });
  return row;
}

// The maps of a batch of rows. mean and gamma may be null; `phase` is the first row's.
template <class T>
__attribute__((noinline)) void batch_maps(RowMap<T>* maps, const T* dy, const T* x, const T* gamma, const double* mean,
                                          const double* rstd, Phase phase, Index count, Index columns) {
  const auto mean_of = [&](Index r) { return mean == nullptr ? nullptr : mean + r; };
  RowSums sums[lanes<T>];
  if (columns <= short_row) {
    short_rows_sums(sums, dy, x, gamma, mean, phase, count, columns);
  } else {
    with_gamma<T>(gamma, [&](auto gain) {
      for (Index r = 0; r < count; ++r, phase.next()) {
        const Index at = r * columns;
        sums[r] = row_sums<T>(dy + at, x + at, gain, phase.begin(), center_of<T>(mean_of(r)), columns);
      }
    });
  }
  for (Index r = 0; r < count; ++r) maps[r] = row_map<T>(sums[r], mean_of(r), rstd[r], columns);
}

// Columns [begin, end) of `count` rows: dx, and what they add to dgamma and dbeta, each of which may be absent. gamma,
// dgamma and dbeta begin at `at_gamma`.
template <int count, class T, class Store, class Gain>
FLYBALL_INLINE void row_group_gradient(Store store, T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, Gain gain,
                                       const RowMap<T>* maps, Index at_gamma, Index ld, Index begin, Index width) {
  RowVectors<T> vectors[count];
#pragma GCC unroll 2
  for (int r = 0; r < count; ++r) vectors[r] = in_registers(maps[r]);
  for_each_vector<T>(width, [&](auto part, Index i) {
    const Index j = begin + i;
    Vec<T> s = zero<T>();
    Vec<T> p = zero<T>();
#pragma GCC unroll 2
    for (int r = 0; r < count; ++r) {
      const RowVectors<T>& map = vectors[r];
      const Index at = r * ld + j;
      const Vec<T> g = part.load(dy + at);
      const Vec<T> d = part.load(x + at) - map.center;
      s += g;
      p += g * (d * map.rstd + map.rest);
      if (dx != nullptr) store(part, dx + at, gain(part, at_gamma + j, g) * map.rstd + (d * map.scale + map.shift));
    }
    if (dgamma != nullptr) part.store(dgamma + at_gamma + j, part.load(dgamma + at_gamma + j) + p);
    if (dbeta != nullptr) part.store(dbeta + at_gamma + j, part.load(dbeta + at_gamma + j) + s);
  });
}

constexpr Index piece = 1024;

template <class T>
void row_gradient(T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, const T* gamma, const double* mean,
                  const double* rstd, Stores stores, Index period, Index rows, Index columns) {
  const Index batch = columns <= short_row ? lanes<T> : period == 1 ? 2 : 1;
  const Index step = columns <= long_row ? columns : piece;
  with_stores(stores, dx, columns, [&](auto store) {
    with_gamma<T>(gamma, [&](auto gain) {
      Phase phase(0, period, columns);
      for_each_batch(rows, batch, [&](Index i, Index count) FLYBALL_INLINE_LAMBDA {
        RowMap<T> maps[lanes<T>];
        batch_maps(maps, dy + i * columns, x + i * columns, gamma, mean == nullptr ? nullptr : mean + i, rstd + i,
                   phase, count, columns);
        // Columns [j, j + width) of the next rows of the batch, which share gamma.
        const auto finish = [&](auto group, Index r, Index j, Index width) FLYBALL_INLINE_LAMBDA {
          constexpr int together = decltype(group)::rows;
          const auto gradient = [&](auto part, int row, T* out, T* to_gamma, T* to_beta) FLYBALL_INLINE_LAMBDA {
            const Index at = (i + r + row) * columns;
            row_group_gradient<decltype(part)::rows>(store, out == nullptr ? nullptr : out + at, to_gamma, to_beta,
                                                     dy + at, x + at, gain, maps + r + row, phase.begin(), columns, j,
                                                     width);
          };
          if constexpr (together == 1) {
            gradient(group, 0, dx, dgamma, dbeta);
          } else {  // what the rows add to dgamma and dbeta together, then dx of each
            gradient(group, 0, nullptr, dgamma, dbeta);
            for (int row = 0; row < together; ++row) gradient(Group<1>{}, row, dx, nullptr, nullptr);
          }
          phase.next();
        };
        Index pairs = 0;
        if (period == 1 && columns <= long_row) {
          for (; pairs + 2 <= count; pairs += 2) finish(Group<2>{}, pairs, 0, columns);
        }
        const Phase first = phase;
        for (Index j = 0; j < columns; j += step) {
          phase = first;
          const Index width = columns - j < step ? columns - j : step;
          for (Index r = pairs; r < count; ++r) finish(Group<1>{}, r, j, width);
        }
      });
    });
  });
}

}  // namespace
}  // namespace flyball
