// Compiled once per instruction set: see variant.cpp.
#include "kernels/activation.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

template <class T>
void relu_forward(T* y, const T* x, Index count) {
  for_each_vector<T>(count, [&](auto part, Index i) { part.store(y + i, relu(part.load(x + i))); });
}

template <class T>
void relu_backward(T* dx, const T* dy, const T* y, Index count) {
  for_each_vector<T>(count, [&](auto part, Index i) {
    part.store(dx + i, select<T>(part.load(y + i) > zero<T>(), part.load(dy + i), zero<T>()));
  });
}

template <class T>
constexpr ActivationKernels<T> activation_kernels = {relu_forward<T>, relu_backward<T>};

}  // namespace
}  // namespace flyball
