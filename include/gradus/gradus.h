// Everything.
#pragma once

#include <gradus/autograd.h>
#include <gradus/flops.h>
#include <gradus/io.h>
#include <gradus/memory.h>
#include <gradus/models/autoencoder.h>
#include <gradus/models/gan.h>
#include <gradus/nn.h>
#include <gradus/op.h>
#include <gradus/ops.h>
#include <gradus/optim.h>
#include <gradus/parallel.h>
#include <gradus/pattern.h>
#include <gradus/random.h>
#include <gradus/tensor.h>
#include <gradus/version.h>
