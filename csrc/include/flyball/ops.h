// The operations: the public C++ surface. Each is a function that every thread of a Team runs (SPMD).
//
// Outputs come first, then inputs, sizes and one struct of scalars. Arrays are contiguous rows; pointers documented as
// optional may be null. An operation assumes what its callers have checked. It ends without a barrier: a caller that
// goes on to read its outputs says team.barrier() first. Shapes, formulas and aliasing rules are those of
// flyball/backend.py, which has the same names.
#pragma once

#include "flyball/params.h"
#include "runtime/team.h"

namespace flyball {

// --- dense ---------------------------------------------------------------------------------------------------------

// c (m, n) = activation(op(a) @ op(b) + bias); bias optional.
template <class T>
void matmul(Team& team, T* c, const T* a, const T* b, const T* bias, bool transpose_a, bool transpose_b, Index m,
            Index n, Index k, Activation activation);
double matmul_cost(Index m, Index n, Index k);

// y (n, c) = activation(x (n, k) @ w (k, c) + b (c)); b optional.
template <class T>
void dense_forward(Team& team, T* y, const T* x, const T* w, const T* b, Index n, Index k, Index c,
                   Activation activation);

// dx (n, k) = dy @ w.T, dw (k, c) = x.T @ dy, db (c) = sum(dy); all outputs optional.
template <class T>
void dense_backward(Team& team, T* dx, T* dw, T* db, const T* dy, const T* x, const T* w, Index n, Index k, Index c);
double dense_backward_cost(Index n, Index k, Index c);

// --- batch normalisation -------------------------------------------------------------------------------------------
//
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

// --- dropout -------------------------------------------------------------------------------------------------------

// Keeps what backend.keep_probability(rate) says; rate in [0, 1).
Keep keep_at(double rate);

// mask: 1 where an element of the array of `count` elements is kept, else 0.
void dropout_mask(Team& team, std::uint8_t* mask, Index count, Keep keep, RandomKey key);

// y = x * mask / keep with the mask of dropout_mask, which is stored unless `mask` is null; y may be x.
template <class T>
void dropout_forward(Team& team, T* y, std::uint8_t* mask, const T* x, Index count, Keep keep, RandomKey key);

// The same with a mask that is given, forward and backward.
template <class T>
void dropout_apply(Team& team, T* y, const T* x, const std::uint8_t* mask, Index count, Keep keep);

// Of each of them.
double dropout_cost(Index count);

// --- activations ---------------------------------------------------------------------------------------------------

template <class T>
void relu_forward(Team& team, T* y, const T* x, Index count);
template <class T>
void relu_backward(Team& team, T* dx, const T* dy, const T* y, Index count);

// Nanoseconds on one thread of an element-wise operation: what team_size is asked with.
double elementwise_cost(Index count);

// --- softmax -------------------------------------------------------------------------------------------------------

// On n rows of c elements.
template <class T>
void softmax_forward(Team& team, T* y, const T* x, Index n, Index c);
template <class T>
void softmax_backward(Team& team, T* dx, const T* dy, const T* y, Index n, Index c);

// Nanoseconds on one thread of a pass of exponentials over n rows: softmax and the cross-entropies.
double softmax_cost(Index n, Index c);

// --- losses --------------------------------------------------------------------------------------------------------

// losses (n), hits (n) optional, dlogits (n, c) optional; logits (n, c), labels (n) in [0, c), targets (n, c).
template <class T>
void softmax_cross_entropy(Team& team, double* losses, double* hits, T* dlogits, const T* logits, const Index* labels,
                           Index n, Index c, double scale);
template <class T>
void softmax_cross_entropy_soft(Team& team, double* losses, double* hits, T* dlogits, const T* logits, const T* targets,
                                Index n, Index c, double scale);

// losses (n), dpredictions (n, c) optional; predictions (n, c), targets (n, c).
template <class T>
void mean_squared_error(Team& team, double* losses, T* dpredictions, const T* predictions, const T* targets, Index n,
                        Index c, double scale);
double mean_squared_error_cost(Index n, Index c);

// --- updates -------------------------------------------------------------------------------------------------------

// All arrays have `count` elements; velocity and penalty (1) are optional. With penalty, update_workspace(count) bytes
// of the team's workspace are used, until the caller's next barrier.
template <class T>
void sgd_update(Team& team, T* w, T* velocity, double* penalty, const T* g, Index count, const SgdParams& params);
template <class T>
void adam_update(Team& team, T* w, T* m, T* v, double* penalty, const T* g, Index count, const AdamParams& params);
std::size_t update_workspace(Index count);
double update_cost(Index count);

// --- data ----------------------------------------------------------------------------------------------------------

// out (n, c); rows (n) in [0, number of x's rows).
template <class T>
void gather(Team& team, T* out, const Source& x, const Index* rows, Index n, Index c);
double gather_cost(Index n, Index c);

// out (n); rows (n) in [0, number of labels).
void gather_labels(Team& team, Index* out, const Index* labels, const Index* rows, Index n);

// total (1), values (n).
void add_total(Team& team, double* total, const double* values, Index n);

}  // namespace flyball
