// All kernels for one instruction set. CMake compiles this file once per level (see csrc/cmake/levels.cmake) with
// FLYBALL_LEVEL set to its name. It exports two tables and nothing else: everything else is anonymous.
#include "kernels/activation.kernel.h"
#include "kernels/data.kernel.h"
#include "kernels/dropout.kernel.h"
#include "kernels/gemm.kernel.h"
#include "kernels/loss.kernel.h"
#include "kernels/norm.kernel.h"
#include "kernels/table.h"
#include "kernels/update.kernel.h"

#define FLYBALL_JOIN_(a, b) a##_##b
#define FLYBALL_JOIN(a, b) FLYBALL_JOIN_(a, b)

namespace flyball {
namespace {

template <class T>
constexpr Kernels<T> table = {gemm_kernels<T>, norm_kernels<T>,   dropout_kernels<T>, activation_kernels<T>,
                              loss_kernels<T>, update_kernels<T>, data_kernels<T>};

}  // namespace

extern const Kernels<float> FLYBALL_JOIN(FLYBALL_LEVEL, float);
extern const Kernels<double> FLYBALL_JOIN(FLYBALL_LEVEL, double);
const Kernels<float> FLYBALL_JOIN(FLYBALL_LEVEL, float) = table<float>;
const Kernels<double> FLYBALL_JOIN(FLYBALL_LEVEL, double) = table<double>;

}  // namespace flyball
