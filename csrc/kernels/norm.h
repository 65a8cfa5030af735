// Kernels of the norm family, one thread each.
#pragma once

#include "flyball/params.h"

namespace flyball {

template <class T>
struct NormKernels {};

}  // namespace flyball
