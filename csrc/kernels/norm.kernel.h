// Batch normalisation. Compiled once per instruction set: see variant.h.
//
// Rows are taken in groups, columns inside: accumulators and coefficients of the columns stay in the first-level cache
// and are touched once a group, while memory is read in long runs along the rows. Rows are often a power of two apart,
// so that a column of them falls into one set of the cache: the more arrays, the smaller the group (with 8 rows of
// three arrays the gradient of (8192, 1024) took twice as long as with 4).
#include "kernels/mask.kernel.h"
#include "kernels/norm.h"
#include "kernels/simd.h"

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
    const T* first = x + j0;
    for (Index j = 0; j < width; ++j) means[j] = squares[j] = T(0);
    for_each_group<8>(rows, [&](auto group, Index i) {
      constexpr int count = decltype(group)::rows;
      const T share = static_cast<T>(count) / static_cast<T>(i + count);
      const T weight = static_cast<T>(i) * share;
      for_each_vector<T>(width, [&](auto part, Index j) {
        const Vec<T> origin = part.load(first + j);
        Vec<T> d[count];
        Vec<T> sum = zero<T>();
#pragma GCC unroll 8
        for (int r = 0; r < count; ++r) {
          d[r] = part.load(first + (i + r) * ld + j) - origin;
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

void merge_moments(double* __restrict mean, double* __restrict m2, Index rows, const double* __restrict other_mean,
                   const double* __restrict other_m2, Index other_rows, Index columns) {
  const double share = static_cast<double>(other_rows) / static_cast<double>(rows + other_rows);
  const double weight = static_cast<double>(rows) * share;
  for (Index j = 0; j < columns; ++j) {
    const double delta = other_mean[j] - mean[j];
    mean[j] += delta * share;
    m2[j] += other_m2[j] + delta * delta * weight;
  }
}

// z = gamma * (x - mean) * rstd + beta = (x - center) * scale + shift with scale = gamma * rstd and
// shift = beta - (mean - center) * scale, found in double.
template <class T>
FLYBALL_INLINE void set_map(ColumnMap<T> map, Index j, double mean, double rstd, double gamma, double beta,
                            double factor) {
  const T center = static_cast<T>(mean);
  const double scale = gamma * rstd;
  map.center[j] = center;
  map.scale[j] = static_cast<T>(scale * factor);
  map.shift[j] = static_cast<T>((beta - (mean - static_cast<double>(center)) * scale) * factor);
}

template <class T>
void finish_moments(ColumnMap<T> map, double* rstd, T* running_mean, T* running_var, const double* mean, const T* gamma,
                    const T* beta, Index rows, const BatchNormParams& params, double factor, Index columns) {
  const double inverse = 1.0 / static_cast<double>(rows > 1 ? rows : 1);
  const double correction =
      params.unbiased && rows > 1 ? static_cast<double>(rows) / static_cast<double>(rows - 1) : 1.0;
  const double old_share = params.momentum;
  const double new_share = 1.0 - params.momentum;
  const double epsilon = params.epsilon;
  if (running_mean != nullptr) {
    for (Index j = 0; j < columns; ++j) {
      running_mean[j] = static_cast<T>(old_share * static_cast<double>(running_mean[j]) + new_share * mean[j]);
    }
  }
  if (running_var != nullptr) {
    for (Index j = 0; j < columns; ++j) {
      running_var[j] = static_cast<T>(old_share * static_cast<double>(running_var[j]) +
                                      new_share * (rstd[j] * inverse * correction));
    }
  }
  for (Index j = 0; j < columns; ++j) rstd[j] = 1.0 / __builtin_sqrt(rstd[j] * inverse + epsilon);
  for (Index j = 0; j < columns; ++j) {
    set_map(map, j, mean[j], rstd[j], gamma == nullptr ? 1.0 : static_cast<double>(gamma[j]),
            beta == nullptr ? 0.0 : static_cast<double>(beta[j]), factor);
  }
}

template <class T>
void inference_map(ColumnMap<T> map, const T* gamma, const T* beta, const T* running_mean, const T* running_var,
                   double epsilon, Index columns) {
  for (Index j = 0; j < columns; ++j) {
    const double rstd = 1.0 / __builtin_sqrt(static_cast<double>(running_var[j]) + epsilon);
    set_map(map, j, static_cast<double>(running_mean[j]), rstd, gamma == nullptr ? 1.0 : static_cast<double>(gamma[j]),
            beta == nullptr ? 0.0 : static_cast<double>(beta[j]), 1.0);
  }
}

// --- what a row's element goes through -----------------------------------------------------------------------------

// A gate lets the value of element `at` through, or makes it +0: it selects, so that inf and nan are dropped too.
template <class T>
struct Everything {
  template <class Part>
  FLYBALL_INLINE Vec<T> operator()(Part, Index, Vec<T> v) const {
    return v;
  }
};

template <class T>
struct WhereKept {
  const std::uint8_t* mask;
  template <class Part>
  FLYBALL_INLINE Vec<T> operator()(Part part, Index at, Vec<T> v) const {
    return select<T>(load_mask<T>(part, mask + at), v, zero<T>());
  }
};

template <class T>
struct WherePositive {
  const T* y;
  template <class Part>
  FLYBALL_INLINE Vec<T> operator()(Part part, Index at, Vec<T> v) const {
    return select<T>(part.load(y + at) > zero<T>(), v, zero<T>());
  }
};

template <class T, class Body>
FLYBALL_INLINE void with_gate(const T* y, const std::uint8_t* mask, Body body) {
  if (y != nullptr) {
    body(WherePositive<T>{y});
  } else if (mask != nullptr) {
    body(WhereKept<T>{mask});
  } else {
    body(Everything<T>{});
  }
}

// Rows between the prefetching of a row and its use.
constexpr Index prefetch_rows = 8;

template <class T>
void normalise(T* y, const T* x, const std::uint8_t* mask, ColumnMap<T> map, Activation activation, Index ld,
               Index rows, Index columns) {
  // No value lies below the floor of the linear activation; nan lies below none.
  const Vec<T> floor = broadcast(activation == Activation::relu ? T(0) : -static_cast<T>(__builtin_inf()));
  with_gate<T>(nullptr, mask, [&](auto gate) {
    for_each_group<2>(rows, [&](auto group, Index i) {
      for_each_vector<T>(columns, [&](auto part, Index j) {
        const Vec<T> center = part.load(map.center + j);
        const Vec<T> scale = part.load(map.scale + j);
        const Vec<T> shift = part.load(map.shift + j);
#pragma GCC unroll 4
        for (int r = 0; r < decltype(group)::rows; ++r) {
          const Index at = (i + r) * ld + j;
          prefetch_to_write(y + at + prefetch_rows * ld);
          const Vec<T> z = (part.load(x + at) - center) * scale + shift;
          part.store(y + at, gate(part, at, z < floor ? floor : z));
        }
      });
    });
  });
}

// --- gradients -----------------------------------------------------------------------------------------------------

template <class T>
void gradient_sums(double* sum, double* product, const T* dy, const T* y, const T* x, const std::uint8_t* mask,
                   const double* mean, Index ld, Index rows, Index columns) {
  with_gate<T>(y, mask, [&](auto gate) {
    for_each_strip(columns, [&](Index j0, Index width) {
      T centers[accumulator_columns];
      T sums[accumulator_columns];
      T products[accumulator_columns];
      for (Index j = 0; j < width; ++j) centers[j] = static_cast<T>(mean[j0 + j]);
      for (Index j = 0; j < width; ++j) sums[j] = products[j] = T(0);
      for_each_group<4>(rows, [&](auto group, Index i) {
        for_each_vector<T>(width, [&](auto part, Index j) {
          const Vec<T> center = part.load(centers + j);
          Vec<T> s = zero<T>();
          Vec<T> p = zero<T>();
#pragma GCC unroll 4
          for (int r = 0; r < decltype(group)::rows; ++r) {
            const Index at = (i + r) * ld + j0 + j;
            const Vec<T> g = gate(part, at, part.load(dy + at));
            s += g;
            p += g * (part.load(x + at) - center);
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

// With g = dz / factor, d = x - center and the rounding r = mean - center of the mean:
//   dbeta = factor * sum(g),  dgamma = sum(dz * xhat) = factor * rstd * (sum(g * d) - r * sum(g)),
//   dx = gamma * rstd * (dz - dbeta / N - xhat * dgamma / N) = g * slope + d * scale + shift
// with slope = gamma * rstd * factor, scale = -gamma * rstd**2 * dgamma / N,
// shift = -gamma * rstd * dbeta / N - r * scale.
template <class T>
void finish_gradient(ColumnMap<T> map, T* dgamma, T* dbeta, const double* sum, const double* product, const T* gamma,
                     const double* mean, const double* rstd, Index rows, double factor, Index columns) {
  const double inverse = 1.0 / static_cast<double>(rows > 1 ? rows : 1);
  for (Index j = 0; j < columns; ++j) {
    const T center = static_cast<T>(mean[j]);
    const double rounding = mean[j] - static_cast<double>(center);
    const double column_dbeta = factor * sum[j];
    const double column_dgamma = factor * rstd[j] * (product[j] - rounding * sum[j]);
    const double gain = gamma == nullptr ? rstd[j] : static_cast<double>(gamma[j]) * rstd[j];
    const double scale = -gain * rstd[j] * column_dgamma * inverse;
    map.center[j] = center;
    map.slope[j] = static_cast<T>(gain * factor);
    map.scale[j] = static_cast<T>(scale);
    map.shift[j] = static_cast<T>(-gain * column_dbeta * inverse - rounding * scale);
    if (dgamma != nullptr) dgamma[j] = static_cast<T>(column_dgamma);
    if (dbeta != nullptr) dbeta[j] = static_cast<T>(column_dbeta);
  }
}

template <class T>
void input_gradient(T* dx, const T* dy, const T* y, const T* x, const std::uint8_t* mask, ColumnMap<T> map, Index ld,
                    Index rows, Index columns) {
  with_gate<T>(y, mask, [&](auto gate) {
    for_each_group<2>(rows, [&](auto group, Index i) {
      for_each_vector<T>(columns, [&](auto part, Index j) {
        const Vec<T> center = part.load(map.center + j);
        const Vec<T> scale = part.load(map.scale + j);
        const Vec<T> shift = part.load(map.shift + j);
        const Vec<T> slope = part.load(map.slope + j);
#pragma GCC unroll 4
        for (int r = 0; r < decltype(group)::rows; ++r) {
          const Index at = (i + r) * ld + j;
          const Vec<T> g = gate(part, at, part.load(dy + at));
          part.store(dx + at, g * slope + ((part.load(x + at) - center) * scale + shift));
        }
      });
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

template <class T>
constexpr NormKernels<T> norm_kernels = {moments<T>,         merge_moments,     finish_moments<T>,
                                         inference_map<T>,   normalise<T>,      gradient_sums<T>,
                                         finish_gradient<T>, input_gradient<T>, column_sums<T>};

}  // namespace
}  // namespace flyball
