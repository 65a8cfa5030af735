#include "kernels/activation.kernel.h"
#include "kernels/variant.h"

FLYBALL_EXPORT(activation)
