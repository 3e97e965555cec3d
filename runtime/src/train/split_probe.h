#pragma once

#include "train/layer_work.h"
#include "train/masking.h"
#include "tsrun/data/batch.h"
#include "tsrun/model/family.h"
#include "tsrun/tune/probe.h"

#include <functional>
#include <memory>
#include <optional>

namespace tsrun::training {

/// A probe of `family` over the split that `rows` gives when it is first asked for. Both must outlive the probe. `masking` hides tokens
/// where the head guesses them, those of the first epoch. Without `dropout`, keys for it have no effect. What the probe costs is added to
/// `spent`, which must outlive it too.
std::unique_ptr<Probe> make_split_probe(const Family& family, std::function<const EncodedSplit&()> rows, std::optional<Masking> masking,
                                        bool dropout, at::Device device, ProbedRows& spent);

}  // namespace tsrun::training
