// The table of kernels: the only way from an operation to arithmetic.
//
// A kernel works on one thread, on the rows or elements it is given, and assumes what operations have checked. Each
// family has its own struct; variant.cpp fills one table per dtype and instruction set.
#pragma once

#include "kernels/activation.h"
#include "kernels/data.h"
#include "kernels/dropout.h"
#include "kernels/gemm.h"
#include "kernels/loss.h"
#include "kernels/norm.h"
#include "kernels/update.h"

namespace flyball {

template <class T>
struct Kernels {
  GemmKernels<T> gemm;
  NormKernels<T> norm;
  DropoutKernels<T> dropout;
  ActivationKernels<T> activation;
  LossKernels<T> loss;
  UpdateKernels<T> update;
  DataKernels<T> data;
};

}  // namespace flyball
