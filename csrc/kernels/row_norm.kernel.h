// Rows: layer and RMS normalisation. Compiled once per instruction set: see variant.h.
#pragma once

#include "kernels/column_norm.kernel.h"
#include "kernels/row_moments.kernel.h"
#include "kernels/short_row.kernel.h"
#include "kernels/stream.kernel.h"

namespace flyball {
namespace {

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
          for_each_stored<T>(store, to, columns, [=](auto part, Index j) FLYBALL_INLINE_LAMBDA {
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

// But for scale and shift, which take the row's sums.
template <class T>
FLYBALL_INLINE RowMap<T> row_map(const double* mean, double rstd) {
  const T center = center_of<T>(mean);
  const double rounding = mean == nullptr ? 0.0 : *mean - static_cast<double>(center);
  return {center, static_cast<T>(rstd), static_cast<T>(-rounding * rstd), T(0), T(0)};
}

template <class T>
FLYBALL_INLINE void finish_map(RowMap<T>* map, RowSums sums, const double* mean, double rstd, Index columns) {
  const double rounding = mean == nullptr ? 0.0 : *mean - static_cast<double>(map->center);
  const double inverse = 1.0 / static_cast<double>(columns);
  const double scale = -rstd * rstd * rstd * (sums.product - rounding * sums.sum) * inverse;
  map->scale = static_cast<T>(scale);
  map->shift = static_cast<T>((mean == nullptr ? 0.0 : -rstd * sums.sum * inverse) - rounding * scale);
}

// What a pass over rows finds: each row's sums, what the rows add to dgamma and dbeta, or both.
template <bool sums, bool parameters>
struct Wanted {
  static constexpr bool of_rows = sums;
  static constexpr bool of_columns = parameters;
};

// Values that are summed in T in one chain.
constexpr Index chain_values = run_values / chains;

// Adds to the sums of `count` rows that share gamma, and to dgamma and dbeta, each of which may be absent.
//
// One pass for both, as loads take the time, and two rows at once, so that dgamma and dbeta are touched half as often.
// Four at once were faster by a tenth in the caches of a Xeon with AVX-512, but no faster from (512, 512) floats on,
// nor with the 16 registers of AVX2.
template <int count, class Pass, class T, class Gain>
FLYBALL_INLINE void gather_rows(Pass, RowSums* sums, T* dgamma, T* dbeta, const T* dy, const T* x, Gain gain,
                                const RowMap<T>* maps, Index at_gamma, Index columns) {
  Vec<T> center[count], rstd[count], rest[count];
#pragma GCC unroll 2
  for (int r = 0; r < count; ++r) {
    center[r] = broadcast(maps[r].center);
    rstd[r] = broadcast(maps[r].rstd);
    rest[r] = broadcast(maps[r].rest);
  }
  for (Index begin = 0; begin < columns; begin += chain_values) {
    Vec<T> sum[count] = {};
    Vec<T> product[count] = {};
    const Index width = columns - begin < chain_values ? columns - begin : chain_values;
    for_each_vector<T>(width, [&](auto part, Index i) FLYBALL_INLINE_LAMBDA {
      const Index j = begin + i;
      Vec<T> s = zero<T>();
      Vec<T> p = zero<T>();
#pragma GCC unroll 2
      for (int r = 0; r < count; ++r) {
        const Index at = r * columns + j;
        const Vec<T> v = part.load(dy + at);
        const Vec<T> d = part.load(x + at, maps[r].center) - center[r];
        if constexpr (Pass::of_columns) {
          s += v;
          p += v * (d * rstd[r] + rest[r]);
        }
        if constexpr (Pass::of_rows) {
          const Vec<T> g = gain(part, at_gamma + j, v);
          sum[r] += g;
          product[r] += g * d;
        }
      }
      if constexpr (Pass::of_columns) {
        if (dgamma != nullptr) part.store(dgamma + at_gamma + j, part.load(dgamma + at_gamma + j) + p);
        if (dbeta != nullptr) part.store(dbeta + at_gamma + j, part.load(dbeta + at_gamma + j) + s);
      }
    });
    if constexpr (Pass::of_rows) {
#pragma GCC unroll 2
      for (int r = 0; r < count; ++r) {
        sums[r].sum += total_of<T>(sum[r]);
        sums[r].product += total_of<T>(product[r]);
      }
    }
  }
}

// What a batch of rows adds to dgamma and dbeta, and the rows' maps if they are `wanted`. mean and gamma may be null;
// `phase` is the first row's.
template <class T>
__attribute__((noinline)) void batch_maps(RowMap<T>* maps, T* dgamma, T* dbeta, const T* dy, const T* x, const T* gamma,
                                          const double* mean, const double* rstd, bool wanted, Phase phase, Index count,
                                          Index columns) {
  const auto mean_of = [=](Index r) { return mean == nullptr ? nullptr : mean + r; };
  for (Index r = 0; r < count; ++r) maps[r] = row_map<T>(mean_of(r), rstd[r]);
  RowSums sums[most_batch<T>] = {};
  const bool at_once = columns <= short_row;
  if (at_once && wanted) short_rows_sums(sums, dy, x, gamma, mean, phase, count, columns);
  const bool of_rows = wanted && !at_once;
  const bool of_columns = dgamma != nullptr || dbeta != nullptr;
  with_gamma<T>(gamma, [&](auto gain) {
    const auto gather = [&](auto group, Index r) FLYBALL_INLINE_LAMBDA {
      const auto pass = [&](auto both) FLYBALL_INLINE_LAMBDA {
        gather_rows<decltype(group)::rows>(both, sums + r, dgamma, dbeta, dy + r * columns, x + r * columns, gain,
                                           maps + r, phase.begin(), columns);
      };
      if (of_rows && of_columns) {
        pass(Wanted<true, true>{});
      } else if (of_rows) {
        pass(Wanted<true, false>{});
      } else if (of_columns) {
        pass(Wanted<false, true>{});
      }
      phase.next();
    };
    Index r = 0;
    if (phase.shared()) {
      for (; r + 2 <= count; r += 2) gather(Group<2>{}, r);
    }
    for (; r < count; ++r) gather(Group<1>{}, r);
  });
  if (!wanted) return;
  for (Index r = 0; r < count; ++r) finish_map<T>(maps + r, sums[r], mean_of(r), rstd[r], columns);
}

template <class T>
void row_gradient(T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, const T* gamma, const double* mean,
                  const double* rstd, Stores stores, Index period, Index rows, Index columns) {
  // The second pass over a batch is to find it in the first-level cache: with four rows of 8 KB (8192, 1024) doubles
  // took up to 1.1 times as long as with two.
  const Index several = columns * static_cast<Index>(sizeof(T)) <= 4096 ? 4 : 2;
  const Index batch = columns <= short_row ? lanes<T> : period == 1 ? several : 1;
  with_stores(stores, dx, columns, [&](auto store) {
    with_gamma<T>(gamma, [&](auto gain) {
      Phase phase(0, period, columns);
      for_each_batch(rows, batch, [&](Index i, Index count) FLYBALL_INLINE_LAMBDA {
        RowMap<T> maps[most_batch<T>];
        batch_maps(maps, dgamma, dbeta, dy + i * columns, x + i * columns, gamma, mean == nullptr ? nullptr : mean + i,
                   rstd + i, dx != nullptr, phase, count, columns);
        if (dx == nullptr) {
          for (Index r = 0; r < count; ++r) phase.next();
          return;
        }
        for (Index r = 0; r < count; ++r, phase.next()) {
          const T* from_dy = dy + (i + r) * columns;
          const T* from_x = x + (i + r) * columns;
          T* to = dx + (i + r) * columns;
          const Index at = phase.begin();
          // In registers: from memory the compiler would load them anew after each store.
          const Vec<T> center = broadcast(maps[r].center);
          const Vec<T> slope = broadcast(maps[r].rstd);
          const Vec<T> scale = broadcast(maps[r].scale);
          const Vec<T> shift = broadcast(maps[r].shift);
          for_each_stored<T>(store, to, columns, [=](auto part, Index j) FLYBALL_INLINE_LAMBDA {
            const Vec<T> g = gain(part, at + j, part.load(from_dy + j));
            store(part, to + j, g * slope + ((part.load(from_x + j) - center) * scale + shift));
          });
        }
      });
    });
  });
}

}  // namespace
}  // namespace flyball
