// Optimizers: torch.optim.
#pragma once

#include <gradus/optim/adadelta.h>
#include <gradus/optim/adafactor.h>
#include <gradus/optim/adagrad.h>
#include <gradus/optim/adam.h>
#include <gradus/optim/adamax.h>
#include <gradus/optim/ademamix.h>
#include <gradus/optim/asgd.h>
#include <gradus/optim/audit.h>
#include <gradus/optim/clip.h>
#include <gradus/optim/groups.h>
#include <gradus/optim/lbfgs.h>
#include <gradus/optim/lion.h>
#include <gradus/optim/lookahead.h>
#include <gradus/optim/lr_scheduler.h>
#include <gradus/optim/muon.h>
#include <gradus/optim/nadam.h>
#include <gradus/optim/optimizer.h>
#include <gradus/optim/pytorch_state.h>
#include <gradus/optim/radam.h>
#include <gradus/optim/rmsprop.h>
#include <gradus/optim/rprop.h>
#include <gradus/optim/schedule_free.h>
#include <gradus/optim/set.h>
#include <gradus/optim/sgd.h>
#include <gradus/optim/swa_utils.h>
