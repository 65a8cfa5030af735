// Losses, with their gradients: the conventions are those of flyball/ops.h, shapes and formulas those of
// flyball/backend/loss.py.
#pragma once

#include "flyball/params.h"
#include "runtime/team.h"

namespace flyball {

// losses (n), hits (n) optional, dlogits (n, c) optional; logits (n, c), labels (n) in [0, c), targets (n, c),
// weights (n) optional.
template <class T>
void softmax_cross_entropy(Team& team, double* losses, double* hits, T* dlogits, const T* logits, const Index* labels,
                           const T* weights, Index n, Index c, double smoothing, double scale);
template <class T>
void softmax_cross_entropy_soft(Team& team, double* losses, double* hits, T* dlogits, const T* logits, const T* targets,
                                const T* weights, Index n, Index c, double scale);

// losses (n), dpredictions (n, c) optional; predictions (n, c), targets (n, c), weights (n) optional.
template <class T>
void pointwise_loss(Team& team, double* losses, T* dpredictions, const T* predictions, const T* targets,
                    const T* weights, Index n, Index c, LossParams params, double scale);
double pointwise_loss_cost(Loss loss, Index n, Index c);

// losses (n), dpredictions (n, c) optional; predictions (n, c), targets (n, c), weights (n) optional.
template <class T>
void row_loss(Team& team, double* losses, T* dpredictions, const T* predictions, const T* targets, const T* weights,
              Index n, Index c, RowLossParams params, double scale);
double row_loss_cost(Index n, Index c);
template <class T>
void overlap_loss(Team& team, double* losses, T* dpredictions, const T* predictions, const T* targets, const T* weights,
                  Index n, Index c, OverlapParams params, double scale);
double overlap_loss_cost(Index n, Index c);
std::size_t overlap_loss_workspace(Index n);

// out (n), kept (n) optional; weights (n) optional, labels (n) where kept is given. divisor: 0 the rows that count,
// 1 the sum of their weights, 2 one.
template <class T>
void loss_weights(Team& team, T* out, Index* kept, const T* weights, const Index* labels, Index n, Index ignored,
                  Index divisor);
double loss_weights_cost(Index n);

}  // namespace flyball
