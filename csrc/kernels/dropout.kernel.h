// Compiled once per instruction set: see variant.cpp.
#include "kernels/dropout.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

template <class T>
constexpr DropoutKernels<T> dropout_kernels = {};

}  // namespace
}  // namespace flyball
