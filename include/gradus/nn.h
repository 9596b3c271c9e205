// Modules, layers, losses and initialisers: torch.nn.
#pragma once

#include <gradus/nn/activation.h>
#include <gradus/nn/adapters.h>
#include <gradus/nn/attention.h>
#include <gradus/nn/chain.h>
#include <gradus/nn/containers.h>
#include <gradus/nn/convolution.h>
#include <gradus/nn/dropout.h>
#include <gradus/nn/embedding.h>
#include <gradus/nn/freeze.h>
#include <gradus/nn/functional.h>
#include <gradus/nn/init.h>
#include <gradus/nn/linear.h>
#include <gradus/nn/loss.h>
#include <gradus/nn/module.h>
#include <gradus/nn/normalization.h>
#include <gradus/nn/padding.h>
#include <gradus/nn/parametrize.h>
#include <gradus/nn/pooling.h>
#include <gradus/nn/rnn.h>
#include <gradus/nn/summary.h>
#include <gradus/nn/transformer.h>
#include <gradus/nn/upsampling.h>
#include <gradus/nn/utils/rnn.h>
