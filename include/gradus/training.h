// Runs that can stop and go on: checkpoints of everything.
#pragma once

#include <gradus/training/adapter_files.h>
#include <gradus/training/checkpoint.h>
#include <gradus/training/checkpoint_manager.h>
#include <gradus/training/receipt.h>
