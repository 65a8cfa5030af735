// The table of kernels: the only way from an operation to arithmetic.
//
// A kernel works on one thread, on the rows or elements it is given, and assumes what operations have checked. Each
// family has its own struct, filled once per dtype and instruction set (variant.h); runtime/cpu.cpp puts them together.
#pragma once

#include "kernels/activation.h"
#include "kernels/augment.h"
#include "kernels/data.h"
#include "kernels/dropout.h"
#include "kernels/gated.h"
#include "kernels/gemm.h"
#include "kernels/loss.h"
#include "kernels/norm.h"
#include "kernels/probe.h"
#include "kernels/random.h"
#include "kernels/slim.h"
#include "kernels/sparse.h"
#include "kernels/update.h"
#include "kernels/weights.h"

namespace flyball {

template <class T>
struct Kernels {
  const GemmKernels<T>& gemm;
  const SlimKernels<T>& slim;
  const SparseKernels<T>& sparse;
  const GatedKernels<T>& gated;
  const NormKernels<T>& norm;
  const DropoutKernels<T>& dropout;
  const AugmentKernels<T>& augment;
  const ActivationKernels<T>& activation;
  const LossKernels<T>& loss;
  const UpdateVariants<T>& update;
  const WeightsKernels<T>& weights;
  const DataKernels<T>& data;
  const ProbeKernels<T>& probe;
  const RandomKernels<T>& random;
};

// The families, in the order of the table: X(level, family).
// clang-format off (it finds another layout of these lines each time)
#define FLYBALL_FOR_EACH_FAMILY(X, level) \
  X(level, gemm)                          \
  X(level, slim)                          \
  X(level, sparse)                        \
  X(level, gated)                         \
  X(level, norm)                          \
  X(level, dropout)                       \
  X(level, augment)                       \
  X(level, activation)                    \
  X(level, loss)                          \
  X(level, update)                        \
  X(level, weights)                       \
  X(level, data)                          \
  X(level, probe)                         \
  X(level, random)
// clang-format on

}  // namespace flyball
