// Everything.
#pragma once

// Macros of other headers (windows.h, X11, AssertMacros.h) by the names of functions and values here: they are off within.
#pragma push_macro("min")
#pragma push_macro("max")
#pragma push_macro("check")
#pragma push_macro("verify")
#pragma push_macro("None")
#pragma push_macro("Bool")
#pragma push_macro("Status")
#pragma push_macro("True")
#pragma push_macro("False")
#undef min
#undef max
#undef check
#undef verify
#undef None
#undef Bool
#undef Status
#undef True
#undef False

// As torch/torch.h brings them: what a program that prints tensors and numbers needs.
#include <cmath>
#include <iostream>

#include <gradus/autocast.h>
#include <gradus/autograd.h>
#include <gradus/data.h>
#include <gradus/detect_anomaly.h>
#include <gradus/flops.h>
#include <gradus/io.h>
#include <gradus/memory.h>
#include <gradus/models/alexnet.h>
#include <gradus/models/autoencoder.h>
#include <gradus/models/dcgan.h>
#include <gradus/models/gan.h>
#include <gradus/models/lenet.h>
#include <gradus/models/mobilenet.h>
#include <gradus/models/registry.h>
#include <gradus/models/resnet.h>
#include <gradus/models/resnet_attention.h>
#include <gradus/models/vgg.h>
#include <gradus/models/vit.h>
#include <gradus/nn.h>
#include <gradus/op.h>
#include <gradus/ops.h>
#include <gradus/optim.h>
#include <gradus/parallel.h>
#include <gradus/pattern.h>
#include <gradus/profiler.h>
#include <gradus/random.h>
#include <gradus/tensor.h>
#include <gradus/training.h>
#include <gradus/version.h>

#pragma pop_macro("min")
#pragma pop_macro("max")
#pragma pop_macro("check")
#pragma pop_macro("verify")
#pragma pop_macro("None")
#pragma pop_macro("Bool")
#pragma pop_macro("Status")
#pragma pop_macro("True")
#pragma pop_macro("False")
