// Sums over short rows. Compiled once per instruction set: see variant.h.
//
// Folding one vector into a number takes as long as a row of a hundred elements. Therefore as many rows as a vector has
// lanes are folded at once, into a vector of their sums. Nothing here is inlined into its callers: a row must have the
// same bits in whichever batch it is, and where a batch lacks rows, its last one is taken again.
#pragma once

#include "kernels/gate.kernel.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

// Rows of up to this many elements. Microseconds of 262144 floats on one thread in rows of 16, 64 and 128, this way and
// each row alone: forward 161, 68, 56 and 300, 140, 99 with AVX-512, 197, 88, 73 and 482, 163, 149 with AVX2; backward
// 266, 115, 118 and 300, 129, 132, and 188, 130, 131 and 420, 229, 135. From 256 on neither is faster.
constexpr Index short_row = 128;

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

// Where gamma and beta of the rows begin: row i takes row i % period of them.
class Phase {
 public:
  FLYBALL_INLINE Phase(Index first, Index period, Index columns)
      : begin_(first * columns), end_(period * columns), columns_(columns) {}
  FLYBALL_INLINE Index begin() const { return begin_; }
  FLYBALL_INLINE bool shared() const { return end_ == columns_; }  // by all rows
  FLYBALL_INLINE void next() {
    begin_ += columns_;
    if (begin_ == end_) begin_ = 0;
  }

 private:
  Index begin_, end_, columns_;
};

// Sums over a row in the backward pass: of g = dy * gamma, and of g * (x - center).
struct RowSums {
  double sum, product;
};

// The mean rounded to T; 0 where there is none.
template <class T>
FLYBALL_INLINE T center_of(const double* mean) {
  return mean == nullptr ? T(0) : static_cast<T>(*mean);
}

// Calls body(i, count) for batches of `batch` rows; the last may have fewer.
template <class Body>
FLYBALL_INLINE void for_each_batch(Index rows, Index batch, Body body) {
  for (Index i = 0; i < rows; i += batch) body(i, rows - i < batch ? rows - i : batch);
}

// The sum of each of `lanes` vectors in the lane of its number.
template <class T, int STRIDE = static_cast<int>(lanes<T>) / 2>
FLYBALL_INLINE Vec<T> sums_of(Vec<T> (&vectors)[lanes<T>]) {
#pragma GCC unroll 16
  for (int i = 0; i < STRIDE; ++i) {
    exchange<T, STRIDE>(vectors[i], vectors[i + STRIDE], typename LanesUpTo<static_cast<int>(lanes<T>)>::type{});
    vectors[i] += vectors[i + STRIDE];
  }
  if constexpr (STRIDE > 1) {
    return sums_of<T, STRIDE / 2>(vectors);
  } else {
    return vectors[0];
  }
}

// The mean and the sum of squares about it of each of up to `lanes` rows; without `means`, the sum of squares about 0.
template <class T>
__attribute__((noinline)) void short_rows_moments(double* averages, double* m2, bool means, const T* x, Index count,
                                                  Index columns) {
  constexpr Index batch = lanes<T>;
  const T* rows[batch];
  T centers[batch] = {};
  T totals[batch];
  double roundings[batch] = {};
  Vec<T> vectors[batch];
  for (Index r = 0; r < batch; ++r) rows[r] = x + (r < count ? r : count - 1) * columns;
  if (means) {
    for (Index r = 0; r < batch; ++r) {
      const T origin = *rows[r];  // a large mean costs no digits
      Vec<T> sum = zero<T>();
      for_each_vector<T>(columns, [&](auto part, Index j) { sum += part.load(rows[r] + j, origin) - origin; });
      vectors[r] = sum;
    }
    store(totals, sums_of<T>(vectors));
    for (Index r = 0; r < batch; ++r) {
      averages[r] = static_cast<double>(*rows[r]) + static_cast<double>(totals[r]) / static_cast<double>(columns);
      centers[r] = static_cast<T>(averages[r]);
      roundings[r] = averages[r] - static_cast<double>(centers[r]);
    }
  }
  for (Index r = 0; r < batch; ++r) {
    const T center = centers[r];
    Vec<T> sum = zero<T>();
    for_each_vector<T>(columns, [&](auto part, Index j) {
      const Vec<T> d = part.load(rows[r] + j, center) - center;
      sum += d * d;
    });
    vectors[r] = sum;
  }
  store(totals, sums_of<T>(vectors));
  for (Index r = 0; r < batch; ++r) {
    const double m = static_cast<double>(totals[r]) - static_cast<double>(columns) * roundings[r] * roundings[r];
    m2[r] = m < 0.0 ? 0.0 : m;
  }
}

// The sums of each of up to `lanes` rows. mean and gamma may be null; `phase` is the first row's.
template <class T>
__attribute__((noinline)) void short_rows_sums(RowSums* sums, const T* dy, const T* x, const T* gamma,
                                               const double* mean, Phase phase, Index count, Index columns) {
  constexpr Index batch = lanes<T>;
  Vec<T> g_vectors[batch];
  Vec<T> product_vectors[batch];
  for (Index r = 0; r < batch; ++r) {
    const Index row = r < count ? r : count - 1;
    const T* const row_x = x + row * columns;
    const T* const row_dy = dy + row * columns;
    const T center = center_of<T>(mean == nullptr ? nullptr : mean + row);
    Vec<T> sum = zero<T>();
    Vec<T> product = zero<T>();
    const auto add = [&](auto gain) {
      for_each_vector<T>(columns, [&](auto part, Index j) {
        const Vec<T> g = gain(part, j, part.load(row_dy + j));
        sum += g;
        product += g * (part.load(row_x + j, center) - center);
      });
    };
    with_gamma<T>(gamma == nullptr ? nullptr : gamma + phase.begin(), add);
    if (r + 1 < count) phase.next();
    g_vectors[r] = sum;
    product_vectors[r] = product;
  }
  const Vec<T> g = sums_of<T>(g_vectors);
  const Vec<T> product = sums_of<T>(product_vectors);
  for (Index r = 0; r < batch; ++r) sums[r] = {static_cast<double>(g[r]), static_cast<double>(product[r])};
}

}  // namespace
}  // namespace flyball
