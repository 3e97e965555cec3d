#pragma once

#include "tsrun/data/task.h"
#include "tsrun/geometry/geometry.h"
#include "tsrun/model/model.h"
#include "tsrun/train/geometry_recorder.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <vector>

/// The geometry of a model's embeddings and hidden states, as ts.geometry and `tsrun geometry` measure it.
namespace tsrun {

/// What is measured, and how.
struct GeometryRequest {
  enum class Of { input_embeddings, output_embeddings, hidden } of = Of::input_embeddings;
  std::optional<int> layer;         ///< of hidden states, as `Probe::hidden` counts; absent: the output of the last
  std::string split;                ///< of the rows for hidden states
  int64_t rows = 256;               ///< number of these rows, evenly spaced; 0: all
  int64_t top_k = 10;               ///< singular values whose share is told
  int64_t buckets = 5;              ///< of equally many words
  std::vector<int64_t> last_ranks;  ///< instead: last rank of each bucket but the last
  int64_t neighbour_rows = 2000;    ///< rows whose neighbours are looked for; 0: all
  Options reading;                  ///< of rows, as `text_options`

  static OptionTable options();
  /// @throws Error(user) beginning with `where`, for hidden states without a task and for options that nothing would read
  static GeometryRequest from(const Options& options, bool has_task, const std::string& where);
  std::string title() const;  ///< "input embeddings", "hidden states of layer 3"
  /// Head that a model needs for it: that of `task`, or one that scores words where these scores have a matrix of their own.
  HeadSpec head(const Family& bare, const Task* task) const;
};

/// A geometry in numbers.
struct GeometrySummary {
  /// Rows of words of neighbouring frequency; one bucket of all rows where no task tells frequencies.
  struct Bucket {
    std::string name;
    int64_t first_rank = 0, last_rank = 0;             ///< 0 of words that were never seen, and of all rows
    int64_t words = 0, occurrences = 0;                ///< of words, in the training rows
    int64_t rows = 0;                                  ///< vectors; of hidden states one for each token
    Cosines given, centred;                            ///< within the bucket; the mean is that of all rows
    std::vector<double> histogram, centred_histogram;  ///< shares of the cosines of its pairs, of at most `pair_rows` rows
    std::vector<double> x, y;                          ///< along the two principal directions of all rows; at most `cloud_rows` of them
  };
  static constexpr int64_t bins = 50, pair_rows = 512, cloud_rows = 300;

  std::string of, parameter;  ///< parameter: of embeddings
  std::optional<int> layer;   ///< of hidden states
  bool tied = false;          ///< one matrix is both input and output embeddings
  int64_t rows = 0, width = 0, top_k = 0;
  RowGeometry given, centred;
  IntrinsicDimension dimension;
  std::vector<Bucket> buckets;

  /// Numbers of rows as given at the top, the same of centred ones under "centred". An undefined number is null, an infinite one "inf".
  nlohmann::json to_json() const;
};

/// Measures `model` (with the head of `GeometryRequest::head`). Frequencies are those of the training rows of `task`, which may be null but
/// for hidden states. @throws Error(user) for layers and matrices that the model has not, Error(run) for numbers that are not finite
GeometrySummary geometry_of(const Model& model, const Task* task, const GeometryRequest& request, at::Device device);

/// As a JSON value that prints: null for NaN, "inf" for infinity.
nlohmann::json printable_number(double value);
/// {"mean_cosine", "i1", …} of rows as given or centred.
nlohmann::json to_json(const RowGeometry& geometry);
/// The same of one step of a training: {"step", "epoch", "mean_cosine", …, "centred"}, without the list of singular values.
nlohmann::json to_json(const GeometryPoint& point);

}  // namespace tsrun
