// Kernels of the loss family, one thread each.
#pragma once

#include "flyball/params.h"

namespace flyball {

template <class T>
struct LossKernels {};

}  // namespace flyball
