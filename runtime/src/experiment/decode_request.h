#pragma once

#include "experiment/start.h"

#include <optional>
#include <string>
#include <vector>

/// What ts.decode and ts.scan are asked for.
namespace tsrun {

OptionTable decode_options();
OptionTable scan_options();
/// `z` may be a training's handle or a list of numbers; the option's type follows the argument.
OptionTable z_option(const nlohmann::json& arguments);

/// What both ask for.
struct DecodingRequest {
  BasisRef basis;
  TaskRef task;
  Start start;
  std::string split;
  int64_t rows = 0;  ///< of the split; 0: all
  Options options;   ///< all of them

  /// `seed`: where no option says it.
  static DecodingRequest from(const Options& o, int64_t seed, const char* where);
  /// Of a stage: identities of the handles, and everything else as it is.
  nlohmann::json inputs() const;
};

struct DecodeRequest {
  std::optional<TrainingRef> training;  ///< whose coordinates z is; nothing: `numbers`
  std::vector<float> numbers;
  DecodingRequest decoding;
  std::string which;  ///< of the training's coordinates
  int64_t bootstrap = 0;

  /// @throws Error(user) for coordinates of another number than the basis has dimensions
  static DecodeRequest from(const Options& o);
  StageKey key() const;
};

struct ScanRequest {
  DecodingRequest decoding;
  std::vector<std::vector<float>> points;

  static ScanRequest from(const Options& o);
  StageKey key() const { return {"scan", {{"options", decoding.inputs()}}}; }
};

}  // namespace tsrun
