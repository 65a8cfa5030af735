// Planes. Compiled once per instruction set: see variant.h.
//
// All elements of a plane share their channel's coefficients, which stay in registers; sums run in several
// accumulators, so that an addition need not wait for the one before.
#pragma once

#include "kernels/gate.kernel.h"
#include "kernels/norm.h"
#include "kernels/stream.kernel.h"

namespace flyball {
namespace {

constexpr int chains = 4;

// Adds term(part, at) for the elements `at` of [begin, begin + count); it yields 0 for lanes that are missing.
template <class T, int outputs, class Term>
FLYBALL_INLINE void add_terms(Vec<T> (&sums)[outputs][chains], Index begin, Index count, Term term) {
  constexpr Index step = chains * lanes<T>;
  Vec<T> terms[outputs];
  Index i = 0;
  for (; i + step <= count; i += step) {
#pragma GCC unroll 4
    for (int u = 0; u < chains; ++u) {
      term(Whole{}, begin + i + u * lanes<T>, terms);
#pragma GCC unroll 2
      for (int k = 0; k < outputs; ++k) sums[k][u] += terms[k];
    }
  }
  for_each_vector<T>(count - i, [&](auto part, Index rest) {
    term(part, begin + i + rest, terms);
#pragma GCC unroll 2
    for (int k = 0; k < outputs; ++k) sums[k][0] += terms[k];
  });
}

template <class T>
FLYBALL_INLINE double total_of(Vec<T> sums) {
  DoubleSum<T> total;
  total.add(sums);
  return total.total();
}

// The chains meet in T: widening each of them was 7 % of layer normalisation's forward pass over (512, 512) floats.
template <class T>
FLYBALL_INLINE double total_of(const Vec<T> (&sums)[chains]) {
  return total_of<T>((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

// The mean, relative to the first value so that a large one costs no digits.
template <class T>
FLYBALL_INLINE double block_mean(const T* x, Index ld, Index rows, Index width) {
  const T origin = *x;
  Vec<T> sums[1][chains] = {};
  for (Index i = 0; i < rows; ++i) {
    add_terms<T>(sums, i * ld, width,
                 [&](auto part, Index at, Vec<T>* d) { d[0] = part.load(x + at, origin) - origin; });
  }
  return static_cast<double>(origin) + total_of<T>(sums[0]) / static_cast<double>(rows * width);
}

// The sum of squares about the mean: about `middle`, the mean rounded to T, corrected for the rounding.
template <class T>
FLYBALL_INLINE double block_m2(double mean, const T* x, Index ld, Index rows, Index width) {
  const T middle = static_cast<T>(mean);
  Vec<T> squares[1][chains] = {};
  for (Index i = 0; i < rows; ++i) {
    add_terms<T>(squares, i * ld, width, [&](auto part, Index at, Vec<T>* e) {
      const Vec<T> d = part.load(x + at, middle) - middle;
      e[0] = d * d;
    });
  }
  const double rounding = mean - static_cast<double>(middle);
  const double m = total_of<T>(squares[0]) - static_cast<double>(rows * width) * rounding * rounding;
  return m < 0.0 ? 0.0 : m;
}

// Both, while the values are in the first-level cache.
template <class T>
FLYBALL_INLINE void block_moments(double* mean, double* m2, const T* x, Index ld, Index rows, Index width) {
  *mean = block_mean(x, ld, rows, width);
  *m2 = block_m2(*mean, x, ld, rows, width);
}

// Calls body(j, at) for the planes of each channel j; `at` is a plane's first element.
template <class Body>
FLYBALL_INLINE void for_each_plane(PlaneSteps steps, Index rows, Index columns, Body body) {
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) body(j, i * steps.ld + j * steps.stride);
  }
}

template <class T>
void plane_moments(double* mean, double* m2, const T* x, PlaneSteps steps, Index rows, Index columns, Index width) {
  for (Index j = 0; j < columns; ++j) {
    block_moments(mean + j, m2 + j, x + j * steps.stride, steps.ld, rows, width);
  }
}

template <class T>
void plane_normalise(T* y, const T* x, const std::uint8_t* mask, ColumnMap<T> map, Activation activation, Stores stores,
                     PlaneSteps steps, Index rows, Index columns, Index width) {
  const Vec<T> floor = floor_of<T>(activation);
  with_stores(stores, y, steps.stride, [&](auto store) {
    with_mask<T>(mask, [&](auto kept) {
      for_each_plane(steps, rows, columns, [&](Index j, Index begin) {
        const Vec<T> center = broadcast(map.center[j]);
        const Vec<T> slope = broadcast(map.slope[j]);
        const Vec<T> offset = broadcast(map.offset[j]);
        for_each_vector<T>(width, [&](auto part, Index i) {
          const Index at = begin + i;
          const Vec<T> z = (part.load(x + at) - center) * slope + offset;
          store(part, y + at, kept(part, at, z < floor ? floor : z));
        });
      });
    });
  });
}

template <class T>
void plane_gradient_sums(double* sum, double* product, const T* dy, const T* x, const std::uint8_t* mask,
                         ColumnMap<T> map, Activation activation, PlaneSteps steps, Index rows, Index columns,
                         Index width) {
  with_gate<T>(activation, mask, [&](auto gate) {
    for (Index j = 0; j < columns; ++j) {
      const T center = map.center[j];
      const Vec<T> slope = broadcast(map.slope[j]);
      const Vec<T> offset = broadcast(map.offset[j]);
      Vec<T> sums[2][chains] = {};
      for (Index i = 0; i < rows; ++i) {
        add_terms<T>(sums, i * steps.ld + j * steps.stride, width, [&](auto part, Index at, Vec<T>* terms) {
          const Vec<T> d = part.load(x + at, center) - center;
          const Vec<T> g = gate(part, at, d * slope + offset, part.load(dy + at));
          terms[0] = g;
          terms[1] = g * d;
        });
      }
      sum[j] += total_of<T>(sums[0]);
      product[j] += total_of<T>(sums[1]);
    }
  });
}

template <class T>
void plane_input_gradient(T* dx, const T* dy, const T* x, const std::uint8_t* mask, ColumnMap<T> map,
                          Activation activation, Stores stores, PlaneSteps steps, Index rows, Index columns,
                          Index width) {
  with_stores(stores, dx, steps.stride, [&](auto store) {
    with_gate<T>(activation, mask, [&](auto gate) {
      for_each_plane(steps, rows, columns, [&](Index j, Index begin) {
        const Vec<T> center = broadcast(map.center[j]);
        const Vec<T> offset = broadcast(map.offset[j]);
        const Vec<T> scale = broadcast(map.scale[j]);
        const Vec<T> shift = broadcast(map.shift[j]);
        const Vec<T> slope = broadcast(map.slope[j]);
        for_each_vector<T>(width, [&](auto part, Index i) {
          const Index at = begin + i;
          const Vec<T> d = part.load(x + at) - center;
          const Vec<T> g = gate(part, at, d * slope + offset, part.load(dy + at));
          store(part, dx + at, g * slope + (d * scale + shift));
        });
      });
    });
  });
}

}  // namespace
}  // namespace flyball
