// Columns. Compiled once per instruction set: see variant.h.
//
// For sums, rows are taken in groups, columns inside: accumulators of the columns stay in the first-level cache and are
// touched once a group, while memory is read in long runs along the rows. Rows are often a power of two apart, so that
// a column of them falls into one set of the cache: the more arrays, the smaller the group (with 8 rows of three arrays
// the gradient of (8192, 1024) took twice as long as with 4).
#pragma once

#include "kernels/gate.kernel.h"
#include "kernels/norm.h"
#include "kernels/simd.h"
#include "kernels/stream.kernel.h"

namespace flyball {
namespace {

// Columns whose accumulators a kernel keeps at a time.
constexpr Index accumulator_columns = 512;

template <int N>
struct Group {
  static constexpr int rows = N;
};

// Calls body(group, i) for groups of N rows, then for the rows that are left, one by one.
template <int N, class Body>
FLYBALL_INLINE void for_each_group(Index rows, Body body) {
  Index i = 0;
  for (; i + N <= rows; i += N) body(Group<N>{}, i);
  for (; i < rows; ++i) body(Group<1>{}, i);
}

// Calls body(j, count) for at most accumulator_columns columns at a time.
template <class Body>
FLYBALL_INLINE void for_each_strip(Index columns, Body body) {
  for (Index j = 0; j < columns; j += accumulator_columns) {
    body(j, columns - j < accumulator_columns ? columns - j : accumulator_columns);
  }
}

// --- statistics ----------------------------------------------------------------------------------------------------

// Two passes over a group while it is in registers, merged into the groups before it (Chan, Golub and LeVeque 1979).
// All values are taken relative to the first row, so that a large mean costs no digits.
template <class T>
void moments(double* mean, double* m2, const T* x, Index ld, Index rows, Index columns) {
  for_each_strip(columns, [&](Index j0, Index width) {
    T means[accumulator_columns];
    T squares[accumulator_columns];
    const T* const first = x + j0;
    for (Index j = 0; j < width; ++j) means[j] = squares[j] = T(0);
    for_each_group<8>(rows, [&](auto group, Index i) {
      constexpr int count = decltype(group)::rows;
      const T share = static_cast<T>(count) / static_cast<T>(i + count);
      const T weight = static_cast<T>(i) * share;
      const T* const row = first + i * ld;
      for_each_vector<T>(width, [&](auto part, Index j) {
        const Vec<T> origin = part.load(first + j);
        Vec<T> d[count];
        Vec<T> sum = zero<T>();
#pragma GCC unroll 8
        for (int r = 0; r < count; ++r) {
          d[r] = part.load(row + r * ld + j) - origin;
          sum += d[r];
        }
        const Vec<T> center = sum * (T(1) / count);
        Vec<T> square = zero<T>();
#pragma GCC unroll 8
        for (int r = 0; r < count; ++r) {
          const Vec<T> e = d[r] - center;
          square += e * e;
        }
        const Vec<T> before = part.load(means + j);
        const Vec<T> delta = center - before;
        part.store(means + j, before + delta * share);
        part.store(squares + j, part.load(squares + j) + square + delta * delta * weight);
      });
    });
    for (Index j = 0; j < width; ++j) {
      mean[j0 + j] = static_cast<double>(first[j]) + static_cast<double>(means[j]);
      m2[j0 + j] = static_cast<double>(squares[j]);
    }
  });
}

// --- normalisation -------------------------------------------------------------------------------------------------

// Rows between the prefetching of a row and its use.
constexpr Index prefetch_rows = 8;

template <class T>
void normalise(T* y, const T* x, const std::uint8_t* mask, ColumnMap<T> map, Activation activation, Stores stores,
               Index ld, Index rows, Index columns) {
  const Vec<T> floor = floor_of<T>(activation);
  with_stores(stores, y, ld, [&](auto store) {
    with_mask<T>(mask, [&](auto kept) {
      for (Index i = 0; i < rows; ++i) {
        const Index row = i * ld;
        for_each_vector<T>(columns, [&](auto part, Index j) {
          const Index at = row + j;
          store.prefetch(y + at + prefetch_rows * ld);
          const Vec<T> d = part.load(x + at) - part.load(map.center + j);
          const Vec<T> z = d * part.load(map.slope + j) + part.load(map.offset + j);
          store(part, y + at, kept(part, at, z < floor ? floor : z));
        });
      }
    });
  });
}

// --- gradients -----------------------------------------------------------------------------------------------------

template <class T>
void gradient_sums(double* sum, double* product, const T* dy, const T* x, const std::uint8_t* mask, ColumnMap<T> map,
                   Activation activation, Index ld, Index rows, Index columns) {
  with_gate<T>(activation, mask, [&](auto gate) {
    for_each_strip(columns, [&](Index j0, Index width) {
      T sums[accumulator_columns];
      T products[accumulator_columns];
      for (Index j = 0; j < width; ++j) sums[j] = products[j] = T(0);
      const ColumnMap<T> strip = {map.center + j0, map.slope + j0, map.offset + j0, nullptr, nullptr};
      for_each_group<4>(rows, [&](auto group, Index i) {
        const Index first = i * ld + j0;
        for_each_vector<T>(width, [&](auto part, Index j) {
          const Vec<T> center = part.load(strip.center + j);
          const Vec<T> slope = part.load(strip.slope + j);
          const Vec<T> offset = part.load(strip.offset + j);
          Vec<T> s = zero<T>();
          Vec<T> p = zero<T>();
#pragma GCC unroll 4
          for (int r = 0; r < decltype(group)::rows; ++r) {
            const Index at = first + r * ld + j;
            const Vec<T> d = part.load(x + at) - center;
            const Vec<T> g = gate(part, at, d * slope + offset, part.load(dy + at));
            s += g;
            p += g * d;
          }
          part.store(sums + j, part.load(sums + j) + s);
          part.store(products + j, part.load(products + j) + p);
        });
      });
      for (Index j = 0; j < width; ++j) {
        sum[j0 + j] += static_cast<double>(sums[j]);
        product[j0 + j] += static_cast<double>(products[j]);
      }
    });
  });
}

template <class T>
void input_gradient(T* dx, Index dx_ld, const T* dy, const T* x, const std::uint8_t* mask, ColumnMap<T> map,
                    Activation activation, Stores stores, Index ld, Index rows, Index columns) {
  // Columns of an array of which another core has read: its lines are dear to write (docs/design.md, "Lanes").
  const bool shared = dx_ld != ld;
  with_stores(stores, dx, dx_ld, [&](auto store) {
    with_gate<T>(activation, mask, [&](auto gate) {
      for (Index i = 0; i < rows; ++i) {
        const Index row = i * ld;
        T* const result = dx + i * dx_ld;
        for_each_vector<T>(columns, [&](auto part, Index j) {
          const Index at = row + j;
          const Vec<T> d = part.load(x + at) - part.load(map.center + j);
          const Vec<T> slope = part.load(map.slope + j);
          const Vec<T> g = gate(part, at, d * slope + part.load(map.offset + j), part.load(dy + at));
          if (shared) store.prefetch(result + j + prefetch_rows * dx_ld);
          store(part, result + j, g * slope + (d * part.load(map.scale + j) + part.load(map.shift + j)));
        });
      }
    });
  });
}

template <class T>
void column_sums(double* sum, const T* x, Index ld, Index rows, Index columns) {
  for_each_strip(columns, [&](Index j0, Index width) {
    T sums[accumulator_columns];
    for (Index j = 0; j < width; ++j) sums[j] = T(0);
    for_each_group<8>(rows, [&](auto group, Index i) {
      for_each_vector<T>(width, [&](auto part, Index j) {
        Vec<T> s = zero<T>();
#pragma GCC unroll 8
        for (int r = 0; r < decltype(group)::rows; ++r) s += part.load(x + (i + r) * ld + j0 + j);
        part.store(sums + j, part.load(sums + j) + s);
      });
    });
    for (Index j = 0; j < width; ++j) sum[j0 + j] += static_cast<double>(sums[j]);
  });
}

}  // namespace
}  // namespace flyball
