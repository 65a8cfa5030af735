#include "kernels/gated.kernel.h"
#include "kernels/variant.h"

FLYBALL_EXPORT(gated)
