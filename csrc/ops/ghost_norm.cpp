// Batch normalisation of a batch in groups: one group after the other by the operations of ops/norm.cpp.
#include "ops/channels.h"

namespace flyball {
namespace {

// Of n rows, `rows` after each other; the last group has what remains, too.
struct Groups {
  Index n, rows;

  Index count() const { return ghost_groups(n, rows); }
  Index begin(Index g) const { return g * rows; }
  Index size(Index g) const { return g + 1 < count() ? rows : n - begin(g); }
  Index largest() const { return rows >= n ? n : std::min(n, 2 * rows - 1); }
};

// Calls body(g, i, rows) for each group, whose first element is i. Where threads share a group's memory, all have to be
// through with it before the next one's turn.
template <class T, class Body>
void for_groups(Team& team, const Groups& groups, Index c, Index s, Body body) {
  const bool owned = s == 1 ? Columns<T>{groups.size(0), c}.owned(team) : Planes<T>{groups.size(0), c, s}.owned(team);
  for (Index g = 0; g < groups.count(); ++g) {
    if (g > 0 && !owned) team.barrier();
    body(g, groups.begin(g) * c * s, groups.size(g));
  }
}

std::size_t memory_of_groups(Index n, Index c, Index s, Index group) {
  const std::size_t bytes = batch_norm_workspace(Groups{n, group}.largest(), c, s);
  return (bytes + 63) / 64 * 64;
}

// The sum of the groups' gradients, in double; each thread's columns are those that it has found them for.
template <class T>
void add_groups(const Team& team, T* sum, const T* parts, Index groups, Index c, Index s) {
  if (sum == nullptr) return;
  const Range mine = s == 1 ? columns_of<T>(team, c) : team.range(c);
  for (Index j = mine.begin; j < mine.end; ++j) {
    double total = 0.0;
    for (Index g = 0; g < groups; ++g) total += static_cast<double>(parts[g * c + j]);
    sum[j] = static_cast<T>(total);
  }
}

}  // namespace

Index ghost_groups(Index n, Index group) { return std::max<Index>(1, n / group); }

std::size_t ghost_batch_norm_workspace(Index n, Index c, Index s, Index group) {
  const std::size_t gradients = static_cast<std::size_t>(2 * ghost_groups(n, group) * c) * sizeof(double);
  return memory_of_groups(n, c, s, group) + gradients;
}

template <class T>
void ghost_batch_norm_forward(Team& team, T* y, double* mean, double* rstd, T* running_mean, T* running_var, const T* x,
                              const T* gamma, const T* beta, const std::uint8_t* mask, Index n, Index c, Index s,
                              Index group, const BatchNormParams& params, Keep keep) {
  for_groups<T>(team, Groups{n, group}, c, s, [&](Index g, Index i, Index rows) {
    batch_norm_forward(team, y + i, mean + g * c, rstd + g * c, running_mean, running_var, x + i, gamma, beta,
                       at(mask, i), rows, c, s, params, keep);
  });
}

template <class T>
void ghost_batch_norm_backward(Team& team, T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, const T* gamma,
                               const T* beta, const double* mean, const double* rstd, const std::uint8_t* mask, Index n,
                               Index c, Index s, Index group, Activation activation, Keep keep) {
  const Groups groups{n, group};
  T* const gammas = reinterpret_cast<T*>(team.workspace<char>() + memory_of_groups(n, c, s, group));
  T* const betas = gammas + groups.count() * c;
  for_groups<T>(team, groups, c, s, [&](Index g, Index i, Index rows) {
    batch_norm_backward(team, at(dx, i), c, dgamma == nullptr ? nullptr : gammas + g * c,
                        dbeta == nullptr ? nullptr : betas + g * c, dy + i, x + i, gamma, beta, mean + g * c,
                        rstd + g * c, at(mask, i), rows, c, s, activation, keep);
  });
  add_groups(team, dgamma, gammas, groups.count(), c, s);
  add_groups(team, dbeta, betas, groups.count(), c, s);
}

#define FLYBALL_INSTANTIATE(T)                                                                                        \
  template void ghost_batch_norm_forward(Team&, T*, double*, double*, T*, T*, const T*, const T*, const T*,           \
                                         const std::uint8_t*, Index, Index, Index, Index, const BatchNormParams&,     \
                                         Keep);                                                                       \
  template void ghost_batch_norm_backward(Team&, T*, T*, T*, const T*, const T*, const T*, const T*, const double*,   \
                                          const double*, const std::uint8_t*, Index, Index, Index, Index, Activation, \
                                          Keep);
FLYBALL_INSTANTIATE(float)
FLYBALL_INSTANTIATE(double)
#undef FLYBALL_INSTANTIATE

}  // namespace flyball
