// Steps of optimisers, with penalties: the conventions are those of flyball/ops.h, shapes and formulas those of
// flyball/backend/update.py.
#pragma once

#include "flyball/params.h"
#include "runtime/team.h"

namespace flyball {

// All arrays have `count` elements; velocity and penalty (1) are optional. With penalty, update_workspace(count) bytes
// of the team's workspace are used, until the caller's next barrier.
template <class T>
void sgd_update(Team& team, T* w, T* velocity, double* penalty, const T* g, Index count, const SgdParams& params);
template <class T>
void adam_update(Team& team, T* w, T* m, T* v, double* penalty, const T* g, Index count, const AdamParams& params);
std::size_t update_workspace(Index count);
double update_cost(Index count);

}  // namespace flyball
