// Normalisation: the conventions are those of flyball/ops.h, shapes and formulas those of flyball/backend/norm.py.
#pragma once

#include "flyball/params.h"
#include "runtime/team.h"

namespace flyball {

// Operations that use the team's workspace name its size in a function beside their cost; it does not decrease with n.
// Two of them must not run without a barrier between.

// y (n, c), mean (c), rstd (c); running_mean, running_var, gamma, beta (c) and mask (n, c) optional; y may be x.
template <class T>
void batch_norm_forward(Team& team, T* y, double* mean, double* rstd, T* running_mean, T* running_var, const T* x,
                        const T* gamma, const T* beta, const std::uint8_t* mask, Index n, Index c,
                        const BatchNormParams& params, Keep keep);

// dx (n, c), dgamma (c), dbeta (c), gamma and mask optional; y is read where the activation is relu; dx may be dy.
template <class T>
void batch_norm_backward(Team& team, T* dx, T* dgamma, T* dbeta, const T* dy, const T* y, const T* x, const T* gamma,
                         const double* mean, const double* rstd, const std::uint8_t* mask, Index n, Index c,
                         Activation activation, Keep keep);

// y (n, c) from statistics of training; gamma and beta optional; y may be x. Needs no workspace.
template <class T>
void batch_norm_inference(Team& team, T* y, const T* x, const T* gamma, const T* beta, const T* running_mean,
                          const T* running_var, Index n, Index c, double epsilon, Activation activation);

// Of each of them.
double batch_norm_cost(Index n, Index c);
std::size_t batch_norm_workspace(Index n, Index c);

}  // namespace flyball
