// The operations: the public C++ surface. Each is a function that every thread of a Team runs (SPMD).
//
// Outputs come first, then inputs, sizes and one struct of scalars. Arrays are contiguous rows; pointers documented as
// optional may be null. An operation assumes what its callers have checked. It ends without a barrier: a caller that
// goes on to read its outputs says team.barrier() first. Shapes, formulas and aliasing rules are those of
// flyball/backend/, which has the same names.
#pragma once

#include "flyball/ops/activation.h"
#include "flyball/ops/augment.h"
#include "flyball/ops/data.h"
#include "flyball/ops/dense.h"
#include "flyball/ops/dropout.h"
#include "flyball/ops/loss.h"
#include "flyball/ops/norm.h"
#include "flyball/ops/random.h"
#include "flyball/ops/update.h"
#include "flyball/ops/weights.h"
