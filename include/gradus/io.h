// Files: checkpoints of PyTorch's, safetensors, NumPy arrays.
#pragma once

#include <gradus/io/image.h>
#include <gradus/io/load.h>
#include <gradus/io/numpy.h>
#include <gradus/io/pytorch.h>
#include <gradus/io/rename.h>
#include <gradus/io/safetensors.h>
#include <gradus/io/tensorboard.h>
#include <gradus/io/value.h>
