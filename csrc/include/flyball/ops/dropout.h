// Dropout: the conventions are those of flyball/ops.h, shapes and formulas those of flyball/backend/dropout.py.
#pragma once

#include <vector>

#include "flyball/params.h"
#include "runtime/team.h"

namespace flyball {

// Keeps what backend.keep_probability(rate) says; rate in [0, 1).
Keep keep_at(double rate);

// What alpha dropout makes of an element.
DropoutMap alpha_dropout_map(Keep keep);
// Of the gradient, which has the map's slope.
inline DropoutMap backward(DropoutMap map) { return {map.scale}; }

// mask: whether an element of the array of `count` elements is kept.
void dropout_mask(Team& team, Mask mask, Index count, Keep keep, RandomKey key);

// mask (n, c): columns [first, first + c) of that of (n, width); c, width and first are multiples of 64.
void dropout_mask_columns(Team& team, std::uint8_t* mask, Index n, Index c, Index width, Index first, Keep keep,
                          RandomKey key);

// y = map(x) with the mask of dropout_mask, which is stored unless it is null; y may be x.
template <class T>
void dropout_forward(Team& team, T* y, Mask mask, const T* x, Index count, Keep keep, DropoutMap map, RandomKey key);

// The same with a mask that is given, forward and backward.
template <class T>
void dropout_apply(Team& team, T* y, const T* x, ConstMask mask, Index count, DropoutMap map);

// How a mask of bytes, with extents of 1 where one decision is for all, lies over an array: alternating groups of axes
// that have their own decisions (stride in the mask above 0) and that share one (stride 0).
struct Broadcast {
  struct Axis {
    Index extent;
    Index stride;
  };
  std::vector<Axis> axes;

  Broadcast(const std::vector<Index>& shape, const std::vector<Index>& mask_shape);
};

template <class T>
void dropout_broadcast(Team& team, T* y, const T* x, const std::uint8_t* mask, const Broadcast& broadcast,
                       DropoutMap map);

// y = x * keep; y may be x.
template <class T>
void dropout_inference(Team& team, T* y, const T* x, Index count, Keep keep);

// y = x + scale * branch in the rows of (n, c) that are kept, all without a mask; y = x in the others. y may be x.
template <class T>
void add_branch(Team& team, T* y, const T* x, const T* branch, const std::uint8_t* mask, Index n, Index c,
                double scale);

// Of those that draw.
double dropout_cost(Index count);

}  // namespace flyball
