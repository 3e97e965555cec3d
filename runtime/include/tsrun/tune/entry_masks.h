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

/// Option `granularity`: where the largest are looked for, in each tensor by itself or in all together.
Option granularity_option();

/// Masks of the largest of `scores` (float32, any shapes): ceil(share · N) of each tensor's N elements, or of those of all tensors
/// `together`; ties go to the lower index, and to the earlier tensor.
std::vector<at::Tensor> largest_shares(const std::vector<at::Tensor>& scores, double share, bool together);
/// The same as a scope of `parameters`, in the order of `scores`, by the options `share`, `granularity` and `freeze`.
Scope scope_of_scores(const std::vector<ParameterInfo>& parameters, const std::vector<at::Tensor>& scores, const Options& options);

/// Option `others`: parameters without a mask are `trained` whole or `frozen`; pooler, head and deltas are trained in any case.
Option others_option(const std::string& fallback);
/// Freezes the others where that option says so.
void freeze_others(Scope& scope, const Family& family, const Options& options);

/// Share of the masked parameters' elements that are trained; 1 without masks.
double kept_share(const Scope& scope);
/// Share of the elements, of parameters masked by either, whose choice differs.
double changed_share(const Scope& before, const Scope& after);

/// A scope with the mask `mask(parameter)` for each of `parameters`, under `freeze`.
Scope scope_of_masks(const std::vector<ParameterInfo>& parameters, Freeze freeze,
                     const std::function<at::Tensor(const ParameterInfo&)>& mask);

/// Number of elements and of trained elements of every masked parameter.
nlohmann::json mask_table(const Scope& scope);

}  // namespace tsrun
