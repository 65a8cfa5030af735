#include "kernels/random.kernel.h"
#include "kernels/variant.h"

FLYBALL_EXPORT(random)
