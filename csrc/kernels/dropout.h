// Kernels of the dropout family, one thread each.
#pragma once

#include "flyball/params.h"

namespace flyball {

template <class T>
struct DropoutKernels {};

}  // namespace flyball
