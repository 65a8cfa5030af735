#include "kernels/variant.h"
#include "kernels/weights.kernel.h"

FLYBALL_EXPORT(weights)
