#include "kernels/update.kernel.h"
#include "kernels/variant.h"

FLYBALL_EXPORT(update)
