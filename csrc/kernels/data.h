// Kernels of the data family, one thread each.
#pragma once

#include "flyball/params.h"

namespace flyball {

template <class T>
struct DataKernels {};

}  // namespace flyball
