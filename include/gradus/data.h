// Datasets, and loaders that make batches of them.
#pragma once

#include <gradus/data/data_loader.h>
#include <gradus/data/dataset.h>
#include <gradus/data/random.h>
#include <gradus/data/sampler.h>
