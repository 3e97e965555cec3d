#pragma once

#include "tsrun/base/random.h"
#include "tsrun/train/row_outcomes.h"

#include <cstdint>
#include <optional>
#include <vector>

/// The smallest place of a curve at which trainings reach a share of the score of others: d90 of intrinsic dimension (Li et al., ICLR
/// 2018), where the curve is over dimensions and the reference is full fine-tuning.
namespace tsrun::experiment {

struct CurvePoint {
  int64_t at = 0;                 ///< dimension, say
  std::vector<RowOutcomes> runs;  ///< one a seed
};

/// Trainings of one split and metric, which is better when it is higher: the same number of runs everywhere, those of one place in the
/// lists with the same seed.
struct CrossingInputs {
  std::vector<RowOutcomes> reference;
  std::vector<CurvePoint> curve;  ///< ascending `at`
  double share = 0.9;             ///< in (0, 1]
  double floor = 0;               ///< score that counts as nothing: the target is floor + share (reference − floor)
};

/// Mean over the runs, with its 95 % percentile interval.
struct MeanScore {
  double mean = 0, deviation = 0;  ///< sample deviation over the runs; 0 for one
  double low = 0, high = 0;
  std::vector<double> by_run;
  nlohmann::json to_json() const;
};

struct Crossing {
  std::optional<int64_t> at;  ///< the smallest point whose mean reaches the target; nothing: none does
  /// 95 % percentile interval of `at`. A draw lies somewhere above the last point below its own crossing: `low` is of that end, `high`
  /// of the crossing. Nothing: above the largest point.
  std::optional<int64_t> low, high;
  double share_reached = 0;  ///< of draws in which some point reaches the target
  double target = 0;
  MeanScore reference;
  std::vector<MeanScore> curve;
  std::vector<int64_t> violations;  ///< larger points beneath the target: the curve does not rise throughout
  nlohmann::json to_json() const;
};

/// Bootstrap over seeds and rows (Efron & Tibshirani 1993, chapter 13): a draw takes seeds with replacement, the same for every point and
/// the reference (the comparison is paired), and rows with replacement, the same for all trainings.
Crossing find_crossing(const CrossingInputs& inputs, int64_t draws, Key key);

}  // namespace tsrun::experiment
