#include "kernels/data.kernel.h"
#include "kernels/variant.h"

FLYBALL_EXPORT(data)
