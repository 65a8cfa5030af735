#include "kernels/norm.kernel.h"
#include "kernels/variant.h"

FLYBALL_EXPORT(norm)
