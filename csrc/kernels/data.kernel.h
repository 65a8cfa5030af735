// Compiled once per instruction set: see variant.cpp.
#include "kernels/data.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

template <class T>
constexpr DataKernels<T> data_kernels = {};

}  // namespace
}  // namespace flyball
