// Steps of optimisers, with penalties: the conventions are those of flyball/ops.h, shapes and formulas those of
// flyball/backend/update.py.
#pragma once

#include "flyball/params.h"
#include "runtime/team.h"

namespace flyball {

// All arrays have `count` elements, but penalty and gradient_scale, which have 1; those two, velocity, v_max and the m
// of rmsprop_update are optional. With penalty, update_workspace(count) bytes of the team's workspace are used, until
// the caller's next barrier.
template <class T>
void sgd_update(Team& team, T* w, T* velocity, double* penalty, const T* g, const double* gradient_scale, Index count,
                const SgdParams& params);
template <class T>
void adam_update(Team& team, T* w, T* m, T* v, T* v_max, double* penalty, const T* g, const double* gradient_scale,
                 Index count, const AdamParams& params);
// adagrad_update is the one with keep and fresh 1, and no m or velocity.
template <class T>
void rmsprop_update(Team& team, T* w, T* v, T* m, T* velocity, double* penalty, const T* g,
                    const double* gradient_scale, Index count, const RmsParams& params);
template <class T>
void adamax_update(Team& team, T* w, T* m, T* u, double* penalty, const T* g, const double* gradient_scale, Index count,
                   const AdamaxParams& params);
template <class T>
void adadelta_update(Team& team, T* w, T* v, T* d, double* penalty, const T* g, const double* gradient_scale,
                     Index count, const AdadeltaParams& params);
template <class T>
void lion_update(Team& team, T* w, T* m, double* penalty, const T* g, const double* gradient_scale, Index count,
                 const LionParams& params);
std::size_t update_workspace(Index count);
double update_cost(Index count);

}  // namespace flyball
