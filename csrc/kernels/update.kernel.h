// Compiled once per instruction set: see variant.cpp.
#include "kernels/simd.h"
#include "kernels/update.h"

namespace flyball {
namespace {

template <class T>
constexpr UpdateKernels<T> update_kernels = {};

}  // namespace
}  // namespace flyball
