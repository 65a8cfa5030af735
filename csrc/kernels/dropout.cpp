#include "kernels/dropout.kernel.h"
#include "kernels/variant.h"

FLYBALL_EXPORT(dropout)
