#pragma once

#include "experiment/initial_weights.h"

#include <optional>
#include <string>
#include <vector>

/// Requests of ts.decode and ts.scan.
namespace tsrun::experiment {

OptionTable decode_options();
OptionTable scan_options();
/// `z` may be a training's handle or a list of numbers; the option's type follows the argument.
OptionTable z_option(const nlohmann::json& arguments);

/// The part that both share.
struct DecodingRequest {
  BasisRef basis;
  TaskRef task;
  InitialWeights initial;
  std::string split;
  int64_t rows = 0;  ///< of the split; 0: all
  Options options;   ///< all of them

  /// `seed`: the default of the option.
  static DecodingRequest from(const Options& o, int64_t seed, const char* where);
  /// All options for a stage key, with handles by their identities.
  nlohmann::json inputs() const;
};

struct DecodeRequest {
  std::optional<TrainingRef> training;  ///< of the coordinates z; nothing: z is `numbers`
  std::vector<float> numbers;
  DecodingRequest decoding;
  std::string which;  ///< of the training's coordinates
  int64_t bootstrap = 0;

  /// @throws Error(user) when the number of coordinates is not the dimension of the basis
  static DecodeRequest from(const Options& o);
  StageKey key() const;
};

struct ScanRequest {
  DecodingRequest decoding;
  std::vector<std::vector<float>> points;

  static ScanRequest from(const Options& o);
  StageKey key() const { return {"scan", {{"options", decoding.inputs()}}}; }
};

}  // namespace tsrun::experiment
