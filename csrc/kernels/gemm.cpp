#include "kernels/gemm.kernel.h"
#include "kernels/variant.h"

FLYBALL_EXPORT(gemm)
