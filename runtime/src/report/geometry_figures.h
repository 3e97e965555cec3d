#pragma once

#include "tsrun/report/report.h"

#include <nlohmann/json.hpp>

#include <string>

/// Figures of geometries (ts.geometry), from their handles. `centred`: of rows without their mean.
namespace tsrun::report {

/// Singular values over the largest; a curve a geometry.
void draw_geometry_spectra(Figure& figure, const nlohmann::json& geometries, bool centred);
/// Histogram of the cosines of pairs; a curve a bucket of words.
void draw_cosines(Figure& figure, const nlohmann::json& geometry, bool centred);
/// Vectors along the two principal directions of all; a colour a bucket of words.
void draw_projection(Figure& figure, const nlohmann::json& geometry);
/// A metric over the steps of trainings with `geometry_every`; a curve a training.
void draw_geometry_path(Figure& figure, const nlohmann::json& runs, const std::string& metric, bool centred);

}  // namespace tsrun::report
