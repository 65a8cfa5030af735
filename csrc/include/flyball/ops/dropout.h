// Dropout: the conventions are those of flyball/ops.h, shapes and formulas those of flyball/backend/dropout.py.
#pragma once

#include "flyball/params.h"
#include "runtime/team.h"

namespace flyball {

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

}  // namespace flyball
