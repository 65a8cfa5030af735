// Kernels of the update family, one thread each.
#pragma once

#include "flyball/params.h"

namespace flyball {

template <class T>
struct UpdateKernels {};

}  // namespace flyball
