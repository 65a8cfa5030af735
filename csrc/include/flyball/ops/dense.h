// Products of matrices: the conventions are those of flyball/ops.h, shapes and formulas those of
// flyball/backend/dense.py.
#pragma once

#include "flyball/params.h"
#include "runtime/team.h"

namespace flyball {

// c (m, n) = activation(op(a) @ op(b) + bias); bias optional.
template <class T>
void matmul(Team& team, T* c, const T* a, const T* b, const T* bias, bool transpose_a, bool transpose_b, Index m,
            Index n, Index k, ActivationParams activation);
double matmul_cost(Index m, Index n, Index k);

// y (n, c) = activation(x (n, k) @ w (k, c) + b (c)); b optional.
template <class T>
void dense_forward(Team& team, T* y, const T* x, const T* w, const T* b, Index n, Index k, Index c,
                   ActivationParams activation);

// dx (n, k) = dy @ w.T, dw (k, c) = x.T @ dy, db (c) = sum(dy); all outputs optional.
template <class T>
void dense_backward(Team& team, T* dx, T* dw, T* db, const T* dy, const T* x, const T* w, Index n, Index k, Index c);
double dense_backward_cost(Index n, Index k, Index c);

}  // namespace flyball
