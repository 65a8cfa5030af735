// Normalisation: the conventions are those of flyball/ops.h, shapes and formulas those of flyball/backend/norm.py.
#pragma once

#include "flyball/params.h"
#include "runtime/team.h"

namespace flyball {

// Operations that use the team's workspace name its size in a function beside their cost; it does not decrease with n.
// Two of them must not run without a barrier between.
//
// Batch normalisation of (n, c, s), channels first; with s = 1, of (n, c). Statistics have c values.

// mean, rstd; running_mean, running_var, gamma, beta and mask (n, c, s) optional; y may be x.
template <class T>
void batch_norm_forward(Team& team, T* y, double* mean, double* rstd, T* running_mean, T* running_var, const T* x,
                        const T* gamma, const T* beta, const std::uint8_t* mask, Index n, Index c, Index s,
                        const BatchNormParams& params, Keep keep);

// dx, dgamma, dbeta, gamma, beta and mask optional; dx may be dy, or, where s is 1, have rows dx_stride apart.
template <class T>
void batch_norm_backward(Team& team, T* dx, Index dx_stride, T* dgamma, T* dbeta, const T* dy, const T* x,
                         const T* gamma, const T* beta, const double* mean, const double* rstd,
                         const std::uint8_t* mask, Index n, Index c, Index s, Activation activation, Keep keep);

// From running statistics; gamma and beta optional; y may be x. Needs no workspace.
template <class T>
void batch_norm_inference(Team& team, T* y, const T* x, const T* gamma, const T* beta, const T* running_mean,
                          const T* running_var, Index n, Index c, Index s, double epsilon, Activation activation);

// The steps of batch_norm_forward. Only the first needs workspace.
template <class T>
void batch_norm_moments(Team& team, double* mean, double* m2, const T* x, Index n, Index c, Index s);
template <class T>
void batch_norm_statistics(Team& team, double* rstd, T* running_mean, T* running_var, const double* mean,
                           const double* m2, Index count, Index c, const BatchNormParams& params);
template <class T>
void batch_norm_apply(Team& team, T* y, const T* x, const T* gamma, const T* beta, const double* mean,
                      const double* rstd, const std::uint8_t* mask, Index n, Index c, Index s, Activation activation,
                      Keep keep);

// Moments of all from those of `parts` parts: means and m2s (parts, c), counts (parts).
void combine_moments(Team& team, double* mean, double* m2, const double* means, const double* m2s, const Index* counts,
                     Index parts, Index c);

// The steps of batch_norm_backward. Only the first needs workspace.
template <class T>
void batch_norm_backward_sums(Team& team, double* sum_dz, double* sum_dz_xhat, const T* dy, const T* x, const T* gamma,
                              const T* beta, const double* mean, const double* rstd, const std::uint8_t* mask, Index n,
                              Index c, Index s, Activation activation, Keep keep);
template <class T>
void batch_norm_backward_apply(Team& team, T* dx, const T* dy, const T* x, const T* gamma, const T* beta,
                               const double* mean, const double* rstd, const double* sum_dz, const double* sum_dz_xhat,
                               const std::uint8_t* mask, Index count, Index n, Index c, Index s, Activation activation,
                               Keep keep);

// Of each of them.
double batch_norm_cost(Index n, Index c, Index s);
std::size_t batch_norm_workspace(Index n, Index c, Index s);

// Batch normalisation of groups of `group` rows (at least 1) after each other, each with its own row of mean and rstd;
// the last has what remains. Running statistics take in one group after the other.
template <class T>
void ghost_batch_norm_forward(Team& team, T* y, double* mean, double* rstd, T* running_mean, T* running_var, const T* x,
                              const T* gamma, const T* beta, const std::uint8_t* mask, Index n, Index c, Index s,
                              Index group, const BatchNormParams& params, Keep keep);
template <class T>
void ghost_batch_norm_backward(Team& team, T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, const T* gamma,
                               const T* beta, const double* mean, const double* rstd, const std::uint8_t* mask, Index n,
                               Index c, Index s, Index group, Activation activation, Keep keep);

Index ghost_groups(Index n, Index group);                                        // how many
std::size_t ghost_batch_norm_workspace(Index n, Index c, Index s, Index group);  // cost: as of one group

// Layer normalisation of the rows of (n, c); mean and rstd (n), gamma and beta (c) optional. Without mean it is RMS
// normalisation. y may be x, dx may be dy; dx, dgamma, dbeta optional. Only backward needs workspace.
template <class T>
void layer_norm_forward(Team& team, T* y, double* mean, double* rstd, const T* x, const T* gamma, const T* beta,
                        Index n, Index c, double epsilon);
template <class T>
void layer_norm_backward(Team& team, T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, const T* gamma,
                         const double* mean, const double* rstd, Index n, Index c);

double layer_norm_cost(Index n, Index c);
std::size_t layer_norm_workspace(Index n, Index c);

// Group normalisation of (n, c, s), or (n, s, c) with channels last, in g groups, a divisor of c; mean and rstd (n, g).
template <class T>
void group_norm_forward(Team& team, T* y, double* mean, double* rstd, const T* x, const T* gamma, const T* beta,
                        Index n, Index c, Index s, Index g, bool channels_last, double epsilon);
template <class T>
void group_norm_backward(Team& team, T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, const T* gamma,
                         const double* mean, const double* rstd, Index n, Index c, Index s, Index g,
                         bool channels_last);

double group_norm_cost(Index n, Index c, Index s);
std::size_t group_norm_workspace(Index n, Index c, Index s, Index g);

}  // namespace flyball
