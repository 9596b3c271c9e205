// Datasets, and loaders that make batches of them.
#pragma once

#include <gradus/data/data_loader.h>
#include <gradus/data/dataset.h>
#include <gradus/data/datasets.h>
#include <gradus/data/feature_cache.h>
#include <gradus/data/functional.h>
#include <gradus/data/random.h>
#include <gradus/data/sampler.h>
#include <gradus/data/standardize.h>
#include <gradus/data/transform.h>
#include <gradus/data/transforms.h>
