// What happens to weights and gradients around a step: the conventions are those of flyball/ops.h, shapes and formulas
// those of flyball/backend/weights.py.
#pragma once

#include "flyball/params.h"
#include "runtime/team.h"

namespace flyball {

// total: 1; g, w: count; w is optional. Uses squared_norm_workspace(count) bytes of the team's workspace, until the
// caller's next barrier.
template <class T>
void squared_norm(Team& team, double* total, const T* g, const T* w, Index count, double l1, double l2);
std::size_t squared_norm_workspace(Index count);
double squared_norm_cost(Index count);

// scale, total: 1
void clip_scale(Team& team, double* scale, double* total, double max_norm);

// w: (n, c)
template <class T>
void constrain_norm(Team& team, T* w, Index n, Index c, const NormBounds& bounds);
double constrain_norm_cost(Index count);

// y, x (n, c; rows a stride apart): y = keep * y + scale * x, without reading y where keep is 0.
template <class T>
void accumulate(Team& team, T* y, Index y_stride, const T* x, Index x_stride, Index n, Index c, double keep,
                double scale);
// average, w: count
template <class T>
void average_update(Team& team, T* average, const T* w, Index count, double decay, std::int64_t step);
double accumulate_cost(Index count);

// penalty (1), dw (n, c) optional; w (n, c). See backend/weights.py.
template <class T>
void orthogonal_penalty(Team& team, double* penalty, T* dw, const T* w, Index n, Index c, double factor, bool columns);
double orthogonal_penalty_cost(Index n, Index c, bool columns, bool gradient);
template <class T>
std::size_t orthogonal_penalty_workspace(Index n, Index c, bool columns);

}  // namespace flyball
