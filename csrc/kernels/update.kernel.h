// Compiled once per instruction set: see variant.cpp.
#include "kernels/update.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

template <class T>
constexpr UpdateKernels<T> update_kernels = {};

}  // namespace
}  // namespace flyball
