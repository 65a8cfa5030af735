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

// --- activations ---------------------------------------------------------------------------------------------------

template <class T>
void relu_forward(Team& team, T* y, const T* x, Index count);
template <class T>
void relu_backward(Team& team, T* dx, const T* dy, const T* y, Index count);

// Nanoseconds on one thread of an element-wise operation: what team_size is asked with.
double elementwise_cost(Index count);

}  // namespace flyball
