#include "kernels/loss.kernel.h"
#include "kernels/variant.h"

FLYBALL_EXPORT(loss)
