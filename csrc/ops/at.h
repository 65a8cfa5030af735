// An array that may be absent, from its element i on.
#pragma once

#include "flyball/types.h"

namespace flyball {

template <class P>
P* at(P* array, Index i) {
  return array == nullptr ? nullptr : array + i;
}

}  // namespace flyball
