#pragma once

#include "tsrun/report/report.h"

#include <nlohmann/json.hpp>

namespace tsrun {

/// A figure as a recipe describes it. `kind` is one of Figure's own (dots, lines, points, positions, bars, scatter with
/// `series`; landscape with `panels`, `x`, `y`, `points`, `threshold`, `label`), or one that is drawn
/// from artifacts: "spectrum" (`bases`: name → subspace; `geometries`: name → geometry), "cosines" and "projection" (`geometry`),
/// "geometry"
/// (`runs`: name → training that recorded one, `metric`), "update" (`outliers`: a mask of ts.outliers), "shares" (`outliers`: name → mask),
/// "layers" (`scopes`: name → scope of ts.select whose table has lists by layer under `layers`, or by latent space under `latent_spaces`).
/// @throws Error(user) with the near miss.
Figure figure_of(const nlohmann::json& description);

}  // namespace tsrun
