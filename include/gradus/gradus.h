// Everything.
#pragma once

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
