// Compiled once per instruction set: see variant.cpp.
#include "kernels/norm.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

template <class T>
constexpr NormKernels<T> norm_kernels = {};

}  // namespace
}  // namespace flyball
