// Activations: the conventions are those of flyball/ops.h, shapes and formulas those of flyball/backend/activation.py.
#pragma once

#include "flyball/params.h"
#include "runtime/team.h"

namespace flyball {

// y may be x; dx may be dy. x or y is null where derivative_of does not ask for it.
template <class T>
void activation_forward(Team& team, T* y, const T* x, Index count, ActivationParams params);
template <class T>
void activation_backward(Team& team, T* dx, const T* dy, const T* x, const T* y, Index count, ActivationParams params);

// y may be x; dx may be dy. x is the input.
template <class T>
void relu_forward(Team& team, T* y, const T* x, Index count, ReluParams params);
template <class T>
void relu_backward(Team& team, T* dx, const T* dy, const T* x, Index count, ReluParams params);

// y, x, dx, dy (n, c); alpha, dalpha (c). y may be x, dx may be dy; dx and dalpha are optional. The backward pass uses
// prelu_workspace(n, c) bytes of the team's workspace, until the caller's next barrier.
template <class T>
void prelu_forward(Team& team, T* y, const T* x, const T* alpha, Index n, Index c);
template <class T>
void prelu_backward(Team& team, T* dx, T* dalpha, const T* dy, const T* x, const T* alpha, Index n, Index c);
std::size_t prelu_workspace(Index n, Index c);

// Nanoseconds on one thread, of an activation and of any other element-wise operation: what team_size is asked with.
double activation_cost(Activation activation, Index count);
double elementwise_cost(Index count);

// total: 1; x: count. Uses activity_penalty_workspace(count) bytes of the team's workspace, until the caller's next
// barrier.
template <class T>
void activity_penalty(Team& team, double* total, const T* x, Index count, double l1, double l2);
std::size_t activity_penalty_workspace(Index count);
// dx may be dy.
template <class T>
void activity_penalty_backward(Team& team, T* dx, const T* dy, const T* x, Index count, double l1, double l2);

// On n rows of c elements.
template <class T>
void softmax_forward(Team& team, T* y, const T* x, Index n, Index c);
template <class T>
void softmax_backward(Team& team, T* dx, const T* dy, const T* y, Index n, Index c);
template <class T>
void log_softmax_forward(Team& team, T* y, const T* x, Index n, Index c);
template <class T>
void log_softmax_backward(Team& team, T* dx, const T* dy, const T* y, Index n, Index c);

// Nanoseconds on one thread of a pass of exponentials over n rows: softmax and the cross-entropies.
double softmax_cost(Index n, Index c);

}  // namespace flyball
