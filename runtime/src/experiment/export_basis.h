#pragma once

#include "tsrun/tune/subspace.h"

#include <filesystem>

namespace tsrun::experiment {

/// Writes a basis for use elsewhere: `basis.json` (layout, groups, dims, the method's own description) and, for each group, a safetensors
/// file with the dense tensor "basis" [d, D] float32, one direction a row. One group is in memory at a time.
void export_basis(const Subspace& subspace, const std::filesystem::path& folder);

}  // namespace tsrun::experiment
