// Products of matrices: the conventions are those of flyball/ops.h, shapes and formulas those of
// flyball/backend/dense.py. Operands may have any strides; outputs and biases are contiguous.
#pragma once

#include "flyball/params.h"
#include "runtime/team.h"

namespace flyball {

// c (m, n) = activation(a (m, k) @ b (k, n) + bias (n)); bias optional.
template <class T>
void matmul(Team& team, T* c, Matrix<T> a, Matrix<T> b, const T* bias, Index m, Index n, Index k,
            ActivationParams activation);
double matmul_cost(Index m, Index n, Index k);

// y (n, c) = activation(x (n, k) @ w (k, c) + b (c) + added (n, c)); b and added optional.
template <class T>
void dense_forward(Team& team, T* y, Matrix<T> x, Matrix<T> w, const T* b, const T* added, Index n, Index k, Index c,
                   ActivationParams activation);

// y (n, c) = activation(normalised x (n, k) @ w (k, c) + b (c)); b optional.
template <class T>
void dense_batch_norm_inference(Team& team, T* y, Matrix<T> x, Matrix<T> w, const T* b, const RunningNorm<T>& norm,
                                Index n, Index k, Index c, ActivationParams activation);

// dx (n, k) = dy @ w.T, dw (k, c; rows dw_stride apart) = x.T @ dy, db (c) = sum(dy); all outputs optional. Gated, dx
// is 0 where x is.
template <class T>
void dense_backward(Team& team, T* dx, T* dw, Index dw_stride, T* db, Matrix<T> dy, Matrix<T> x, Matrix<T> w, Index n,
                    Index k, Index c, bool gated);
double dense_backward_cost(Index n, Index k, Index c);

}  // namespace flyball
