#pragma once

#include "tsrun/base/options.h"
#include "tsrun/tune/scope.h"

#include <functional>
#include <string>
#include <vector>

/// Element masks, as every selector that chooses elements needs them.
namespace tsrun {

/// The options `parts`, `patterns` and `matrices_only`: parameters that are `acted` on ("masked", "mixed"). `parts` is a default.
OptionTable parameter_options(const std::vector<std::string>& parts, const std::string& acted);
/// The same and `freeze`, for masks. `parts` and `freeze` are their defaults.
OptionTable mask_options(const std::vector<std::string>& parts, Freeze freeze = Freeze::gradient);

/// Parameters that those options name. @throws Error(user) "`who`: …" when there are none.
std::vector<ParameterInfo> masked_parameters(const Family& family, const Options& options, const std::string& who);

/// Whether those options may name word embeddings, which then have to be trained whole.
bool masks_embeddings(const Options& options);

Freeze freeze_of(const Options& options);

/// ceil(share · elements)
int64_t share_of_elements(double share, int64_t elements);

/// Mask of exactly `count` elements, the largest of `scores` (float32, any shape); ties go to the lower index.
at::Tensor largest_elements(const at::Tensor& scores, int64_t count);

/// A scope with the mask `mask(parameter)` for each of `parameters`, under `freeze`.
Scope scope_of_masks(const std::vector<ParameterInfo>& parameters, Freeze freeze,
                     const std::function<at::Tensor(const ParameterInfo&)>& mask);

/// Number of elements and of trained elements of every masked parameter.
nlohmann::json mask_table(const Scope& scope);

}  // namespace tsrun
