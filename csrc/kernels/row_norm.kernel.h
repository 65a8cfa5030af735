// Rows: layer and RMS normalisation. Compiled once per instruction set: see variant.h.
#pragma once

#include "kernels/column_norm.kernel.h"
#include "kernels/plane_norm.kernel.h"
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

// What gamma and beta do to a value; absent ones do nothing.
template <class T>
struct Times {
  const T* gamma;
  template <class Part>
  FLYBALL_INLINE Vec<T> operator()(Part part, Index i, Vec<T> v) const {
    return v * part.load(gamma + i);
  }
};

template <class T>
struct Plus {
  const T* beta;
  template <class Part>
  FLYBALL_INLINE Vec<T> operator()(Part part, Index i, Vec<T> v) const {
    return v + part.load(beta + i);
  }
};

template <class T, class Body>
FLYBALL_INLINE void with_gamma(const T* gamma, Body body) {
  if (gamma != nullptr) {
    body(Times<T>{gamma});
  } else {
    body(Everything<T>{});
  }
}

template <class T, class Body>
FLYBALL_INLINE void with_affine(const T* gamma, const T* beta, Body body) {
  with_gamma<T>(gamma, [&](auto times) {
    if (beta != nullptr) {
      body(times, Plus<T>{beta});
    } else {
      body(times, Everything<T>{});
    }
  });
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
// one set of the first level.
constexpr Index long_row = run_values;

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
void row_normalise(T* y, double* mean, double* rstd, const T* x, const T* gamma, const T* beta, double epsilon,
                   Stores stores, Index rows, Index columns) {
  const auto run = [&](auto store, auto times, auto plus) {
    const auto group_of = [&](auto group, Index i) FLYBALL_INLINE_LAMBDA {
      constexpr int count = decltype(group)::rows;
      double averages[count] = {};
      double m2[count];
      rows_moments<count>(averages, m2, mean != nullptr, x + i * columns, columns);
      for (int r = 0; r < count; ++r) {
        const double average = averages[r];
        const double inverse = 1.0 / __builtin_sqrt(m2[r] / static_cast<double>(columns) + epsilon);
        if (mean != nullptr) mean[i + r] = average;
        rstd[i + r] = inverse;
        const T center = static_cast<T>(average);
        const T scale = static_cast<T>(inverse);
        const T shift = static_cast<T>((static_cast<double>(center) - average) * inverse);
        const T* from = x + (i + r) * columns;
        T* to = y + (i + r) * columns;
        for_each_vector<T>(columns, [&](auto part, Index j) {
          store(part, to + j, plus(part, j, times(part, j, (part.load(from + j) - center) * scale + shift)));
        });
      }
    };
    if (columns <= long_row) {
      for_each_group<4>(rows, group_of);
    } else {
      for_each_group<1>(rows, group_of);
    }
  };
  with_stores(stores, y, columns, [&](auto store) {
    with_affine<T>(gamma, beta, [&](auto times, auto plus) { run(store, times, plus); });
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

template <class T, class Gain>
FLYBALL_INLINE RowMap<T> row_map(const T* dy, const T* x, Gain gain, const double* mean, double rstd, Index columns) {
  const double average = mean == nullptr ? 0.0 : *mean;
  const T center = static_cast<T>(average);
  const double rounding = average - static_cast<double>(center);
  double sum = 0.0;
  double product = 0.0;
  for_each_run(columns, [&](Index begin, Index count) {
    Vec<T> sums[2][chains] = {};
    add_terms<T>(sums, begin, count, [&](auto part, Index at, Vec<T>* terms) {
      const Vec<T> g = gain(part, at, part.load(dy + at));
      terms[0] = g;
      terms[1] = g * (part.load(x + at, center) - center);
    });
    sum += total_of<T>(sums[0]);
    product += total_of<T>(sums[1]);
  });
  const double inverse = 1.0 / static_cast<double>(columns);
  const double scale = -rstd * rstd * rstd * (product - rounding * sum) * inverse;
  const double shift = (mean == nullptr ? 0.0 : -rstd * sum * inverse) - rounding * scale;
  return {center, static_cast<T>(rstd), static_cast<T>(-rounding * rstd), static_cast<T>(scale), static_cast<T>(shift)};
}

// Columns [begin, end) of `count` rows: dx, and what they add to dgamma and dbeta, each of which may be absent.
template <int count, class T, class Store, class Gain>
FLYBALL_INLINE void row_group_gradient(Store store, T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, Gain gain,
                                       const RowMap<T>* maps, Index ld, Index begin, Index width) {
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
      if (dx != nullptr) store(part, dx + at, gain(part, j, g) * map.rstd + (d * map.scale + map.shift));
    }
    if (dgamma != nullptr) part.store(dgamma + j, part.load(dgamma + j) + p);
    if (dbeta != nullptr) part.store(dbeta + j, part.load(dbeta + j) + s);
  });
}

constexpr Index piece = 1024;

template <class T>
void row_gradient(T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, const T* gamma, const double* mean,
                  const double* rstd, Stores stores, Index rows, Index columns) {
  const auto run = [&](auto store, auto gain) {
    for_each_group<2>(rows, [&](auto group, Index i) {
      constexpr int count = decltype(group)::rows;
      RowMap<T> maps[count];
      for (int r = 0; r < count; ++r) {
        const Index at = (i + r) * columns;
        maps[r] = row_map(dy + at, x + at, gain, mean == nullptr ? nullptr : mean + i + r, rstd[i + r], columns);
      }
      T* const group_dx = dx == nullptr ? nullptr : dx + i * columns;
      if (columns <= long_row) {
        row_group_gradient<count>(store, group_dx, dgamma, dbeta, dy + i * columns, x + i * columns, gain, maps,
                                  columns, 0, columns);
        return;
      }
      for (Index j = 0; j < columns; j += piece) {
        const Index width = columns - j < piece ? columns - j : piece;
        for (int r = 0; r < count; ++r) {
          const Index at = (i + r) * columns;
          row_group_gradient<1>(store, dx == nullptr ? nullptr : dx + at, dgamma, dbeta, dy + at, x + at, gain,
                                maps + r, columns, j, width);
        }
      }
    });
  };
  with_stores(stores, dx, columns, [&](auto store) { with_gamma<T>(gamma, [&](auto gain) { run(store, gain); }); });
}

}  // namespace
}  // namespace flyball
