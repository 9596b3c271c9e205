// Runs that can stop and go on: checkpoints of everything; and steps that a device records.
#pragma once

#include <gradus/training/adapter_files.h>
#include <gradus/training/checkpoint.h>
#include <gradus/training/checkpoint_manager.h>
#include <gradus/training/graphed_step.h>
#include <gradus/training/receipt.h>
