#pragma once

#include "tsrun/base/options.h"
#include "tsrun/data/batch.h"
#include "tsrun/data/task.h"
#include "tsrun/model/model.h"
#include "tsrun/tune/probe.h"

#include <memory>

namespace tsrun {

/// A probe of `model` over the training rows of `task`, which are encoded when they are first asked for. `options` are resolved against
/// `train_options()`; of several accepted answers every row has the first. Of a masked language model, `key` decides the hidden tokens.
/// Model and task must outlive the probe. `gradient_rows`, which must outlive it too, grows by the rows of every forward
/// and backward pass.
std::unique_ptr<Probe> make_probe(const Model& model, const Task& task, const Options& options, Key key, at::Device device,
                                  int64_t* gradient_rows = nullptr);
/// The same over rows of any split, as they are: without dropout, and without hidden tokens.
std::unique_ptr<Probe> make_probe(const Family& family, EncodedSplit rows, at::Device device);

}  // namespace tsrun
