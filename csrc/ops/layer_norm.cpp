// Layer and RMS normalisation: rows are independent of each other, but for dgamma and dbeta, which are summed over
// blocks of rows and combined in their order in double.
#include <algorithm>

#include "ops/channels.h"
#include "ops/rows.h"

namespace flyball {
namespace {

// Sums within a block of samples run in T. More blocks occupy more threads, but each costs an array of sums.
constexpr Index most_rows = 256;
constexpr Index fewest_rows = 8;
constexpr Index wanted_blocks = 32;

Index block_rows(Index n) { return std::clamp((n + wanted_blocks - 1) / wanted_blocks, fewest_rows, most_rows); }

Index blocks_of(Index n) { return (n + block_rows(n) - 1) / block_rows(n); }

}  // namespace

std::size_t rows_workspace(Index n, Index g, Index c) {
  return static_cast<std::size_t>(2 * blocks_of(n)) * static_cast<std::size_t>(g * c) * sizeof(double);
}

template <class T>
void normalise_rows(Team& team, T* y, double* mean, double* rstd, const T* x, const T* gamma, const T* beta, Index n,
                    Index g, Index c, double epsilon) {
  const Range mine = team.range(n * g);
  const Index i = mine.begin;
  kernels<T>().norm.row_normalise(y + i * c, at(mean, i), rstd + i, x + i * c, gamma, beta, epsilon,
                                  stores_to(y, x, n * g * c), i % g, g, mine.size(), c);
}

template <class T>
void differentiate_rows(Team& team, T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, const T* gamma,
                        const double* mean, const double* rstd, Index n, Index g, Index c) {
  const Index width = g * c;
  const auto sums = [&](Index b, const T* wanted, Index which) {
    return wanted == nullptr ? nullptr : team.workspace<T>() + (2 * b + which) * width;
  };
  const Range mine = team.range(blocks_of(n));
  for (Index b = mine.begin; b < mine.end; ++b) {
    const Index i = b * block_rows(n);
    const Index samples = std::min(block_rows(n), n - i);
    T* const gamma_sums = sums(b, dgamma, 0);
    T* const beta_sums = sums(b, dbeta, 1);
    if (gamma_sums != nullptr) std::fill_n(gamma_sums, width, T(0));
    if (beta_sums != nullptr) std::fill_n(beta_sums, width, T(0));
    kernels<T>().norm.row_gradient(at(dx, i * width), gamma_sums, beta_sums, dy + i * width, x + i * width, gamma,
                                   at(mean, i * g), rstd + i * g, stores_to(dx, dy, n * width), g, samples * g, c);
  }
  if (dgamma == nullptr && dbeta == nullptr) return;
  team.barrier();
  double* const total = team.scratch<StripMemory<T>>()->first;
  const auto combine = [&](T* result, Index which) {
    if (result == nullptr) return;
    for_strips(columns_of<T>(team, width), strip_columns, [&](Index j, Index count) {
      std::fill_n(total, count, 0.0);
      for (Index b = 0; b < blocks_of(n); ++b) {
        const T* part = sums(b, result, which) + j;
        for (Index k = 0; k < count; ++k) total[k] += static_cast<double>(part[k]);
      }
      for (Index k = 0; k < count; ++k) result[j + k] = static_cast<T>(total[k]);
    });
  };
  combine(dgamma, 0);
  combine(dbeta, 1);
}

double layer_norm_cost(Index n, Index c) { return 0.2 * static_cast<double>(n) * static_cast<double>(c); }

std::size_t layer_norm_workspace(Index n, Index c) { return rows_workspace(n, 1, c); }

template <class T>
void layer_norm_forward(Team& team, T* y, double* mean, double* rstd, const T* x, const T* gamma, const T* beta,
                        Index n, Index c, double epsilon) {
  normalise_rows(team, y, mean, rstd, x, gamma, beta, n, 1, c, epsilon);
}

template <class T>
void layer_norm_backward(Team& team, T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, const T* gamma,
                         const double* mean, const double* rstd, Index n, Index c) {
  differentiate_rows(team, dx, dgamma, dbeta, dy, x, gamma, mean, rstd, n, 1, c);
}

#define FLYBALL_INSTANTIATE(T)                                                                                       \
  template void normalise_rows(Team&, T*, double*, double*, const T*, const T*, const T*, Index, Index, Index,       \
                               double);                                                                              \
  template void differentiate_rows(Team&, T*, T*, T*, const T*, const T*, const T*, const double*, const double*,    \
                                   Index, Index, Index);                                                             \
  template void layer_norm_forward(Team&, T*, double*, double*, const T*, const T*, const T*, Index, Index, double); \
  template void layer_norm_backward(Team&, T*, T*, T*, const T*, const T*, const T*, const double*, const double*,   \
                                    Index, Index);
FLYBALL_INSTANTIATE(float)
FLYBALL_INSTANTIATE(double)
#undef FLYBALL_INSTANTIATE

}  // namespace flyball
