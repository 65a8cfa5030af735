#include <algorithm>
#include <cmath>

#include "flyball/ops.h"
#include "ops/columns.h"
#include "runtime/cpu.h"

namespace flyball {
namespace {

// What the vectors of a matrix are: its rows, or its columns.
struct Vectors {
  Index count;
  Index length;
  Index stride;  // from a vector to the next
  Index step;    // from an element to the next

  Vectors(Index n, Index c, bool columns)
      : count(columns ? c : n), length(columns ? n : c), stride(columns ? 1 : c), step(columns ? c : 1) {}
};

// Each array begins on a line of its own.
template <class T>
Index padded(Index size) {
  return (size + line<T> - 1) / line<T> * line<T>;
}

// sums[k] = sum over elements of a and b, vectors [mine.begin, mine.end); element by element, so that columns are read
// along their rows.
template <class T>
void products(double* sums, const T* a, const T* b, const Vectors& v, Range mine) {
  std::fill(sums + mine.begin, sums + mine.end, 0.0);
  const auto add = [&](Index k, Index e) {
    const Index i = k * v.stride + e * v.step;
    sums[k] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  };
  if (v.step == 1) {
    for (Index k = mine.begin; k < mine.end; ++k) {
      for (Index e = 0; e < v.length; ++e) add(k, e);
    }
  } else {
    for (Index e = 0; e < v.length; ++e) {
      for (Index k = mine.begin; k < mine.end; ++k) add(k, e);
    }
  }
}

// body(i, k) for each element i of the vectors k in `mine`, in the order of memory.
template <class Body>
void for_each_element(const Vectors& v, Range mine, Body body) {
  if (v.step == 1) {
    for (Index k = mine.begin; k < mine.end; ++k) {
      for (Index e = 0; e < v.length; ++e) body(k * v.stride + e, k);
    }
  } else {
    for (Index e = 0; e < v.length; ++e) {
      for (Index k = mine.begin; k < mine.end; ++k) body(e * v.step + k, k);
    }
  }
}

// Turns a row of cosines into their signs, that of the vector with itself into 0; returns the sum of their sizes.
template <class T>
double signs(T* row, Index count, Index self) {
  double sum = 0.0;
  row[self] = T(0);
  for (Index j = 0; j < count; ++j) {
    sum += std::abs(static_cast<double>(row[j]));
    row[j] = static_cast<T>(row[j] > T(0)) - static_cast<T>(row[j] < T(0));
  }
  return sum;
}

}  // namespace

double orthogonal_penalty_cost(Index n, Index c, bool columns, bool gradient) {
  const Vectors v(n, c, columns);
  const double elements = static_cast<double>(n) * static_cast<double>(c);
  const double pairs = static_cast<double>(v.count) * static_cast<double>(v.count);
  return (gradient ? 2.0 : 1.0) * matmul_cost(v.count, v.count, v.length) + 4.0 * elements + 1.0 * pairs;
}

template <class T>
std::size_t orthogonal_penalty_workspace(Index n, Index c, bool columns) {
  const Vectors v(n, c, columns);
  const Index elements = 2 * padded<T>(n * c) + padded<T>(v.count * v.count);
  return static_cast<std::size_t>(elements) * sizeof(T) + static_cast<std::size_t>(2 * v.count) * sizeof(double);
}

// With the unit vectors v of w's rows, s = sign(v @ v.T) without its diagonal and g = s @ v, the gradient of
// sum(|v_i . v_j|, i < j) by the row w_i is (g_i - (g_i . v_i) * v_i) / |w_i|. Both products are matmul's: w's columns
// are the rows of its transpose.
template <class T>
void orthogonal_penalty(Team& team, double* penalty, T* dw, const T* w, Index n, Index c, double factor, bool columns) {
  const Vectors v(n, c, columns);
  T* unit = team.workspace<T>();
  T* pull = unit + padded<T>(n * c);
  T* cosines = pull + padded<T>(n * c);
  double* inverse = reinterpret_cast<double*>(cosines + padded<T>(v.count * v.count));
  double* sums = inverse + v.count;
  const Range mine = team.range(v.count);

  products(inverse, w, w, v, mine);
  for (Index k = mine.begin; k < mine.end; ++k) inverse[k] = inverse[k] > 0.0 ? 1.0 / std::sqrt(inverse[k]) : 0.0;
  for_each_element(v, mine,
                   [=](Index i, Index k) { unit[i] = static_cast<T>(static_cast<double>(w[i]) * inverse[k]); });
  team.barrier();

  const Matrix<T> vectors{unit, v.stride, v.step};
  const ActivationParams linear{Activation::linear, 0.0};
  matmul(team, cosines, vectors, vectors.transposed(), static_cast<const T*>(nullptr), v.count, v.count, v.length,
         linear);
  team.barrier();
  for (Index k = mine.begin; k < mine.end; ++k) sums[k] = signs(cosines + k * v.count, v.count, k);
  team.barrier();
  if (team.rank() == 0) {
    double total = 0.0;
    for (Index k = 0; k < v.count; ++k) total += sums[k];
    *penalty += 0.5 * factor * total;
  }
  if (dw == nullptr) return;

  const Matrix<T> square{cosines, v.count, 1};
  const Matrix<T> rows{unit, c, 1};
  const auto* none = static_cast<const T*>(nullptr);
  if (columns) {
    matmul(team, pull, rows, square, none, n, c, c, linear);
  } else {
    matmul(team, pull, square, rows, none, n, c, n, linear);
  }
  team.barrier();
  products(sums, pull, unit, v, mine);
  for_each_element(v, mine, [=](Index i, Index k) {
    const double outward = static_cast<double>(pull[i]) - sums[k] * static_cast<double>(unit[i]);
    dw[i] += static_cast<T>(factor * inverse[k] * outward);
  });
}

#define FLYBALL_INSTANTIATE(T)                                                                \
  template void orthogonal_penalty(Team&, double*, T*, const T*, Index, Index, double, bool); \
  template std::size_t orthogonal_penalty_workspace<T>(Index, Index, bool);
FLYBALL_INSTANTIATE(float)
FLYBALL_INSTANTIATE(double)
#undef FLYBALL_INSTANTIATE

}  // namespace flyball
