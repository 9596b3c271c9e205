// Runs that can stop and go on: checkpoints of everything.
#pragma once

#include <gradus/train/checkpoint.h>
#include <gradus/train/checkpoint_manager.h>
