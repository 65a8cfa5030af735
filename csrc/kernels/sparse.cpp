#include "kernels/sparse.kernel.h"
#include "kernels/variant.h"

FLYBALL_EXPORT(sparse)
