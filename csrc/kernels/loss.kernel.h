// Compiled once per instruction set: see variant.cpp.
#include "kernels/loss.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

template <class T>
constexpr LossKernels<T> loss_kernels = {};

}  // namespace
}  // namespace flyball
