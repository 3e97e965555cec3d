#include "experiment/geometry_rows.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/reading.h"

#include <cmath>
#include <numeric>

namespace tsrun {
namespace {

using nlohmann::json;
using Bucket = GeometrySummary::Bucket;

/// Numbers behind the buckets that are those of all rows.
struct AllRows {
  at::Tensor rows, mean, plane;  ///< plane: the two principal directions, [2 (or fewer), width]
};

/// Buckets of words, without their numbers; of ids that are no words there is one bucket of all.
std::vector<FrequencyBucket> word_buckets(const Model& model, const Task* task, const GeometryRequest& request, bool words) {
  if (task == nullptr || !words) return {};
  json reading = request.reading.json();
  const EncodedSplit text =
      encode_split(*task, task->split("train"), *model.tokenizer, encode_options_for(*model.family, Options(std::move(reading))));
  const auto occurrences = occurrences_of(text, model.family->config().at("vocab_size").get<int64_t>());
  return frequency_buckets(occurrences, request.last_ranks.empty() ? equal_ranks(occurrences, request.buckets) : request.last_ranks);
}

std::vector<double> column_of(const at::Tensor& column) {
  const at::Tensor values = column.contiguous();
  return {values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel()};
}

/// The numbers of a bucket whose rows are `places`.
void measure(const AllRows& all, const std::vector<int64_t>& places, Bucket& bucket) {
  const auto chosen = [&](int64_t most) {
    return all.rows.index_select(0, at::tensor(most > 0 ? thinned(places, most) : places, at::kLong));
  };
  bucket.rows = static_cast<int64_t>(places.size());
  const at::Tensor rows = chosen(0), pairs = chosen(GeometrySummary::pair_rows);
  bucket.given = cosines_of(rows, {});
  bucket.centred = cosines_of(rows, all.mean);
  bucket.histogram = cosine_histogram(pairs, {}, GeometrySummary::bins);
  bucket.centred_histogram = cosine_histogram(pairs, all.mean, GeometrySummary::bins);
  const at::Tensor cloud = (chosen(GeometrySummary::cloud_rows).to(at::kDouble) - all.mean).matmul(all.plane.t());
  bucket.x = column_of(cloud.select(1, 0));
  bucket.y = cloud.size(1) > 1 ? column_of(cloud.select(1, 1)) : std::vector<double>(bucket.x.size(), 0.0);
}

/// Rows of every word, by its id.
std::vector<std::vector<int64_t>> rows_by_word(const std::vector<int64_t>& ids) {
  std::vector<std::vector<int64_t>> rows;
  for (size_t row = 0; row < ids.size(); ++row) {
    if (ids[row] < 0) continue;
    const auto id = static_cast<size_t>(ids[row]);
    if (id >= rows.size()) rows.resize(id + 1);
    rows[id].push_back(static_cast<int64_t>(row));
  }
  return rows;
}

Bucket bucket_of_all(const AllRows& all) {
  std::vector<int64_t> places(static_cast<size_t>(all.rows.size(0)));
  std::iota(places.begin(), places.end(), 0);
  Bucket bucket;
  bucket.name = "all";
  measure(all, places, bucket);
  return bucket;
}

/// Buckets without a row are left out.
std::vector<Bucket> measured_buckets(const AllRows& all, const std::vector<int64_t>& ids, const std::vector<FrequencyBucket>& words) {
  if (words.empty()) return {bucket_of_all(all)};
  const auto rows = rows_by_word(ids);
  std::vector<Bucket> buckets;
  for (const FrequencyBucket& of : words) {
    std::vector<int64_t> places;
    for (const int64_t id : of.ids)
      if (static_cast<size_t>(id) < rows.size())
        places.insert(places.end(), rows[static_cast<size_t>(id)].begin(), rows[static_cast<size_t>(id)].end());
    if (places.empty()) continue;
    Bucket bucket;
    bucket.name = of.name;
    bucket.first_rank = of.first_rank;
    bucket.last_rank = of.last_rank;
    bucket.words = static_cast<int64_t>(of.ids.size());
    bucket.occurrences = of.occurrences;
    measure(all, places, bucket);
    buckets.push_back(std::move(bucket));
  }
  return buckets;
}

json bucket_json(const Bucket& bucket) {
  return {{"name", bucket.name},
          {"first_rank", bucket.first_rank},
          {"last_rank", bucket.last_rank},
          {"words", bucket.words},
          {"occurrences", bucket.occurrences},
          {"rows", bucket.rows},
          {"mean_cosine", printable_number(bucket.given.mean)},
          {"mean_norm", bucket.given.mean_norm},
          {"cosines", bucket.histogram},
          {"centred",
           {{"mean_cosine", printable_number(bucket.centred.mean)},
            {"mean_norm", bucket.centred.mean_norm},
            {"cosines", bucket.centred_histogram}}},
          {"x", bucket.x},
          {"y", bucket.y}};
}

}  // namespace

json printable_number(double value) {
  if (std::isnan(value)) return nullptr;
  return std::isinf(value) ? json("inf") : json(value);
}

json to_json(const RowGeometry& geometry) {
  const auto& [cosines, spectrum, isotropy] = geometry;
  return {{"mean_cosine", printable_number(cosines.mean)},
          {"mean_norm", cosines.mean_norm},
          {"zero_rows", cosines.zero_rows},
          {"i1", isotropy.i1},
          {"log_i1", isotropy.log_i1},
          {"i2", isotropy.i2},
          {"spectrum", spectrum.relative},
          {"largest", spectrum.largest},
          {"rank", spectrum.rank},
          {"top_share", printable_number(spectrum.top_share)},
          {"effective_rank", printable_number(spectrum.effective_rank)},
          {"condition_number", printable_number(spectrum.condition_number)}};
}

json to_json(const GeometryPoint& point) {
  json numbers = to_json(point.given);
  numbers.update({{"step", point.step}, {"epoch", point.epoch}, {"centred", to_json(point.centred)}});
  numbers.erase("spectrum");
  numbers["centred"].erase("spectrum");
  return numbers;
}

json GeometrySummary::to_json() const {
  json summary = tsrun::to_json(given);
  summary.update({{"of", of},
                  {"tied", tied},
                  {"rows", rows},
                  {"width", width},
                  {"top_k", top_k},
                  {"pair_rows", pair_rows},
                  {"cloud_rows", cloud_rows}});
  if (!parameter.empty()) summary["parameter"] = parameter;
  if (layer) summary["layer"] = *layer;
  summary["centred"] = tsrun::to_json(centred);
  summary["intrinsic_dimension"] = printable_number(dimension.value);
  summary["distinct_rows"] = dimension.distinct;
  summary["neighbour_rows"] = dimension.asked;
  summary["buckets"] = json::array();
  for (const Bucket& bucket : buckets) summary["buckets"].push_back(bucket_json(bucket));
  return summary;
}

GeometrySummary geometry_of(const Model& model, const Task* task, const GeometryRequest& request, at::Device device) {
  const at::NoGradGuard no_grad;
  const experiment::MeasuredRows measured = experiment::measured_rows(model, task, request, device);
  const at::Tensor& rows = measured.rows;
  const at::Tensor mean = mean_row(rows);
  const SingularDirections given = singular_directions(rows, {}), centred = singular_directions(rows, mean);
  GeometrySummary summary{.of = request.title(),
                          .parameter = measured.parameter,
                          .layer = measured.layer,
                          .tied = measured.tied,
                          .rows = rows.size(0),
                          .width = rows.size(1),
                          .top_k = request.top_k,
                          .given = row_geometry(rows, {}, given, request.top_k),
                          .centred = row_geometry(rows, mean, centred, request.top_k),
                          .dimension = intrinsic_dimension(rows, request.neighbour_rows),
                          .buckets = {}};
  const AllRows all{rows, mean, centred.directions.narrow(0, 0, std::min<int64_t>(2, rows.size(1)))};
  summary.buckets = measured_buckets(all, measured.ids, word_buckets(model, task, request, !measured.ids.empty()));
  return summary;
}

}  // namespace tsrun
