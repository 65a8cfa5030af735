// Kernels of the dropout family, one thread each.
#pragma once

#include "flyball/params.h"

namespace flyball {

template <class T>
struct DropoutKernels {
  // Elements [begin, begin + count) of a flat array; `begin` is a multiple of 1024, pointers are to element `begin`.
  void (*mask)(Mask mask, Index begin, Index count, Keep keep, RandomKey key);
  // Some columns of rows of a mask of `width` columns, from element `begin` on: all three are multiples of 64. A byte
  // an element, rows one after the other.
  void (*mask_columns)(std::uint8_t* mask, Index begin, Index rows, Index columns, Index width, Keep keep,
                       RandomKey key);
  // y = map(x) with a new mask, which is stored unless it is null.
  void (*draw)(T* y, Mask mask, const T* x, Index begin, Index count, Keep keep, DropoutMap map, RandomKey key);
  // The same with a mask that is given.
  void (*apply)(T* y, const T* x, ConstMask mask, Index count, DropoutMap map);
  // The same with one decision for all elements.
  void (*apply_to_all)(T* y, const T* x, bool kept, Index count, DropoutMap map);
  // y = x + scale * branch.
  void (*add_scaled)(T* y, const T* x, const T* branch, Index count, double scale);
};

}  // namespace flyball
