#include "kernels/probe.kernel.h"
#include "kernels/variant.h"

FLYBALL_EXPORT(probe)
