// Compiled once per instruction set: see variant.h.
#include "kernels/penalty.kernel.h"
#include "kernels/simd.h"
#include "kernels/weights.h"

namespace flyball {
namespace {

template <class T>
double squared_norm(const T* g, const T* w, Index count, double l1, double l2) {
  const T sign_rate = static_cast<T>(l1);
  const T weight_rate = static_cast<T>(l2);
  return with_flags(
      [&](auto penalised) {
        DoubleSum<T> sum;
        for_each_vector<T>(count, [&](auto part, Index i) {
          Vec<T> gradient = part.load(g + i);
          if constexpr (penalised.value) {
            const Vec<T> weight = part.load(w + i);
            gradient += sign_rate * sign<T>(weight) + weight_rate * weight;
          }
          sum.add_square(gradient);
        });
        return sum.total();
      },
      w != nullptr && (l1 != 0.0 || l2 != 0.0));
}

template <class T>
void combine(T* y, const T* x, Index count, double keep, double scale) {
  const T old_share = static_cast<T>(keep);
  const T new_share = static_cast<T>(scale);
  if (keep == 0.0) {
    for_each_vector<T>(count, [&](auto part, Index i) { part.store(y + i, new_share * part.load(x + i)); });
  } else {
    for_each_vector<T>(count, [&](auto part, Index i) {
      part.store(y + i, old_share * part.load(y + i) + new_share * part.load(x + i));
    });
  }
}

// Plain loops: a column's sum has one order, that of the rows, whatever the vectors.
template <class T>
void column_squares(double* sums, const T* w, Index ld, Index rows, Index columns) {
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) {
      const double x = static_cast<double>(w[i * ld + j]);
      sums[j] += x * x;
    }
  }
}

template <class T>
void scale_columns(T* w, const double* scale, Index ld, Index rows, Index columns) {
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) w[i * ld + j] = static_cast<T>(static_cast<double>(w[i * ld + j]) * scale[j]);
  }
}

template <class T>
constexpr WeightsKernels<T> weights_kernels = {squared_norm<T>, combine<T>, column_squares<T>, scale_columns<T>};

}  // namespace
}  // namespace flyball
