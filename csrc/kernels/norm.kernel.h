// Statistics of channels, in double. Compiled once per instruction set: see variant.h.
#include "kernels/column_norm.kernel.h"
#include "kernels/norm.h"
#include "kernels/plane_norm.kernel.h"
#include "kernels/row_norm.kernel.h"

namespace flyball {
namespace {

void merge_moments(double* __restrict mean, double* __restrict m2, Index count, const double* __restrict other_mean,
                   const double* __restrict other_m2, Index other_count, Index columns) {
  const double share = static_cast<double>(other_count) / static_cast<double>(count + other_count);
  const double weight = static_cast<double>(count) * share;
  for (Index j = 0; j < columns; ++j) {
    const double delta = other_mean[j] - mean[j];
    mean[j] += delta * share;
    m2[j] += other_m2[j] + delta * delta * weight;
  }
}

FLYBALL_INLINE double inverse_of(Index count) { return 1.0 / static_cast<double>(count > 1 ? count : 1); }

template <class T>
FLYBALL_INLINE double value_or(const T* values, Index j, double absent) {
  return values == nullptr ? absent : static_cast<double>(values[j]);
}

// v = 1 / sqrt(v). In float the divider takes a quarter of the time that it takes in double, and a step of Newton's
// method makes 14 digits of its seven.
template <class T>
FLYBALL_INLINE void invert_roots(double* v, Index count) {
  constexpr double least = 1e-30, most = 1e30;  // whose squares are no float's
  Index usual = 0;
  for (Index j = 0; j < count; ++j) usual += (v[j] > least) & (v[j] < most);
  if (sizeof(T) != sizeof(float) || usual < count) {
    for (Index j = 0; j < count; ++j) v[j] = 1.0 / __builtin_sqrt(v[j]);
    return;
  }
  for (Index j = 0; j < count; ++j) {
    const double guess = static_cast<double>(1.0f / __builtin_sqrtf(static_cast<float>(v[j])));
    v[j] = guess * (1.5 - 0.5 * v[j] * guess * guess);
  }
}

template <class T>
void finish_moments(double* rstd, T* running_mean, T* running_var, const double* mean, Index count,
                    const BatchNormParams& params, Index columns) {
  const double inverse = inverse_of(count);
  const double correction =
      params.unbiased && count > 1 ? static_cast<double>(count) / static_cast<double>(count - 1) : 1.0;
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
  for (Index j = 0; j < columns; ++j) rstd[j] = rstd[j] * inverse + epsilon;
  invert_roots<T>(rstd, columns);
}

template <class T>
FLYBALL_INLINE void running_rstd(double* __restrict rstd, const T* __restrict running_var, double epsilon,
                                 Index columns) {
  for (Index j = 0; j < columns; ++j) rstd[j] = static_cast<double>(running_var[j]) + epsilon;
  invert_roots<T>(rstd, columns);
}

template <class T>
void running_moments(double* mean, double* rstd, const T* running_mean, const T* running_var, double epsilon,
                     Index columns) {
  for (Index j = 0; j < columns; ++j) mean[j] = static_cast<double>(running_mean[j]);
  running_rstd(rstd, running_var, epsilon, columns);
}

// gamma * (x + bias - mean) * rstd + beta = scale * x + shift with scale = gamma * rstd and
// shift = (bias - mean) * scale + beta, found in double.
template <class T>
void inference_factors(T* __restrict scale, T* __restrict shift, double* __restrict rstd, const RunningNorm<T>& norm,
                       const T* bias, Index columns) {
  running_rstd(rstd, norm.var, norm.epsilon, columns);
  for (Index j = 0; j < columns; ++j) {
    const double factor = value_or(norm.gamma, j, 1.0) * rstd[j];
    const double center = static_cast<double>(norm.mean[j]) - value_or(bias, j, 0.0);
    scale[j] = static_cast<T>(factor);
    shift[j] = static_cast<T>(value_or(norm.beta, j, 0.0) - center * factor);
  }
}

// z = gamma * (x - mean) * rstd + beta = (x - center) * slope + offset with slope = gamma * rstd and
// offset = beta - (mean - center) * slope, found in double.
template <class T>
void normalise_map(ColumnMap<T> map, const double* mean, const double* rstd, const T* gamma, const T* beta,
                   double factor, Index columns) {
  for (Index j = 0; j < columns; ++j) {
    const T center = static_cast<T>(mean[j]);
    const double slope = value_or(gamma, j, 1.0) * rstd[j];
    map.center[j] = center;
    map.slope[j] = static_cast<T>(slope * factor);
    map.offset[j] = static_cast<T>((value_or(beta, j, 0.0) - (mean[j] - static_cast<double>(center)) * slope) * factor);
  }
}

// With g = dz / factor, d = x - center and the rounding r = mean - center of the mean:
//   sum(dz) = factor * sum(g),  sum(dz * xhat) = factor * rstd * (sum(g * d) - r * sum(g)).
template <class T>
void finish_sums(double* __restrict sum, double* __restrict product, const double* __restrict mean,
                 const double* __restrict rstd, double factor, Index columns) {
  for (Index j = 0; j < columns; ++j) {
    const double rounding = mean[j] - static_cast<double>(static_cast<T>(mean[j]));
    product[j] = factor * rstd[j] * (product[j] - rounding * sum[j]);
    sum[j] *= factor;
  }
}

// With the sums S of dz * gamma and P of dz * gamma * xhat over the N values that share a mean,
//   dx = rstd * (dz * gamma - S / N - xhat * P / N) = g * slope + d * scale + shift
// with slope = gamma * rstd * factor, which is normalise_map's, scale = -rstd**2 * P / N, shift = -rstd * S / N - r *
// scale.
template <class T>
void gradient_map(ColumnMap<T> map, T* dgamma, T* dbeta, const double* sum, const double* product, const T* gamma,
                  const double* mean, const double* rstd, Index count, Weighted weighted, Index columns) {
  const double inverse = inverse_of(count);
  for (Index j = 0; j < columns; ++j) {
    const double rounding = mean[j] - static_cast<double>(static_cast<T>(mean[j]));
    const double gain = weighted == Weighted::yes ? 1.0 : value_or(gamma, j, 1.0);
    const double share = gain * rstd[j] * inverse;
    const double scale = -share * rstd[j] * product[j];
    map.scale[j] = static_cast<T>(scale);
    map.shift[j] = static_cast<T>(-share * sum[j] - rounding * scale);
  }
  if (dgamma != nullptr) {
    for (Index j = 0; j < columns; ++j) dgamma[j] = static_cast<T>(product[j]);
  }
  if (dbeta != nullptr) {
    for (Index j = 0; j < columns; ++j) dbeta[j] = static_cast<T>(sum[j]);
  }
}

template <class T>
constexpr NormKernels<T> norm_kernels = {
    merge_moments,           finish_moments<T>, running_moments<T>, inference_factors<T>, normalise_map<T>,
    finish_sums<T>,          gradient_map<T>,   moments<T>,         normalise<T>,         gradient_sums<T>,
    input_gradient<T>,       column_sums<T>,    plane_moments<T>,   plane_normalise<T>,   plane_gradient_sums<T>,
    plane_input_gradient<T>, row_normalise<T>,  row_gradient<T>};

}  // namespace
}  // namespace flyball
