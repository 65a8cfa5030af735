#include "kernels/weights.kernel.h"
#include "kernels/variant.h"

FLYBALL_EXPORT(weights)
