#include "kernels/slim.kernel.h"
#include "kernels/variant.h"

FLYBALL_EXPORT(slim)
