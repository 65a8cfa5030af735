#include "kernels/augment.kernel.h"
#include "kernels/variant.h"

FLYBALL_EXPORT(augment)
