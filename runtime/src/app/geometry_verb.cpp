#include "app/command_line.h"
#include "app/verbs.h"
#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/base/parallel.h"
#include "tsrun/checkpoint/folder.h"
#include "tsrun/data/builtin.h"
#include "tsrun/experiment/geometry.h"
#include "tsrun/experiment/model_source.h"
#include "tsrun/report/figure_description.h"
#include "tsrun/train/reading.h"

/// The verb geometry: metrics of a model's embeddings or hidden states.
namespace tsrun::app {
namespace {

using nlohmann::json;

std::string line(const std::string& what, const std::string& given) { return fmt::format("{:<28}{:>14}\n", what, given); }
std::string line(const std::string& what, const std::string& given, const std::string& centred) {
  return fmt::format("{:<28}{:>14}{:>14}\n", what, given, centred);
}
std::string number(double value) { return std::isnan(value) ? "none" : fmt::format("{:.6g}", value); }
std::string line(const std::string& what, double given, double centred) { return line(what, number(given), number(centred)); }

std::string head_text(const std::string& model, const GeometrySummary& geometry) {
  std::string text = fmt::format("{}: {}, {} vectors of width {}", model, geometry.of, geometry.rows, geometry.width);
  if (!geometry.parameter.empty()) text += fmt::format(" ({})", geometry.parameter);
  if (geometry.tied) text += "; tied: one matrix is both input and output embeddings";
  return text + "\n\n";
}

std::string metrics_text(const GeometrySummary& geometry) {
  const RowGeometry &given = geometry.given, &centred = geometry.centred;
  const IntrinsicDimension& dimension = geometry.dimension;
  return line("", "as given", "centred") + line("mean cosine of pairs", given.cosines.mean, centred.cosines.mean) +
         line("mean norm", given.cosines.mean_norm, centred.cosines.mean_norm) +
         line("I1 (1: isotropic)", given.isotropy.i1, centred.isotropy.i1) +
         line("log I1", given.isotropy.log_i1, centred.isotropy.log_i1) +
         line("I2 (0: isotropic)", given.isotropy.i2, centred.isotropy.i2) +
         line("effective rank", given.spectrum.effective_rank, centred.spectrum.effective_rank) +
         line(fmt::format("share of the {} largest", geometry.top_k), given.spectrum.top_share, centred.spectrum.top_share) +
         line("largest singular value", given.spectrum.largest, centred.spectrum.largest) +
         line("condition number", given.spectrum.condition_number, centred.spectrum.condition_number) +
         line("rank", fmt::to_string(given.spectrum.rank), fmt::to_string(centred.spectrum.rank)) +
         line("zero rows", fmt::to_string(given.cosines.zero_rows), fmt::to_string(centred.cosines.zero_rows)) +
         line("intrinsic dimension", number(dimension.value)) + line("  distinct rows", fmt::to_string(dimension.distinct)) +
         line("  rows asked for neighbours", fmt::to_string(dimension.asked));
}

FreeTable::Entry count_entry(int64_t count) {
  return {.kind = FreeTable::Entry::Kind::whole, .words = {}, .value = static_cast<double>(count)};
}
FreeTable::Entry number_entry(double value) { return {.kind = FreeTable::Entry::Kind::number, .words = {}, .value = value}; }

std::string buckets_text(const GeometrySummary& geometry) {
  if (geometry.buckets.front().words == 0) return "";
  FreeTable table;
  table.caption = "By frequency in the training rows; means of cosines within each bucket";
  table.columns = {"words", "number", "occurrences", "vectors", "mean cosine", "centred", "mean norm"};
  table.digits = {0, 0, 0, 0, 4, 4, 4};
  for (const auto& bucket : geometry.buckets)
    table.rows.push_back({{.kind = FreeTable::Entry::Kind::words, .words = bucket.name},
                          count_entry(bucket.words),
                          count_entry(bucket.occurrences),
                          count_entry(bucket.rows),
                          number_entry(bucket.given.mean),
                          number_entry(bucket.centred.mean),
                          number_entry(bucket.given.mean_norm)});
  return "\n" + table_as_text(table);
}

void draw(const json& geometry, const std::string& what, const std::filesystem::path& folder) {
  draw_figure(figure_of({{"name", "spectrum"},
                         {"caption", "Singular values of the " + what + ", as given and centred."},
                         {"kind", "spectrum"},
                         {"geometries", {{"as given", geometry}, {"centred", geometry.at("centred")}}}}),
              folder);
  for (const bool centred : {false, true})
    draw_figure(figure_of({{"name", centred ? "cosines_centred" : "cosines"},
                           {"caption", "Cosines of pairs of " + what + (centred ? ", centred." : ".")},
                           {"kind", "cosines"},
                           {"geometry", geometry},
                           {"centred", centred}}),
                folder);
  draw_figure(figure_of({{"name", "projection"},
                         {"caption", "The " + what + " along the two principal directions of all of them."},
                         {"kind", "projection"},
                         {"geometry", geometry}}),
              folder);
}

std::optional<Task> task_to_measure(const Command& command, ModelKind model_kind) {
  if (command.operands.size() < 2) return std::nullopt;
  const std::string& name = command.operands[1];
  return task_for(name.starts_with("builtin:") ? make_builtin_task(name) : load_task(name), model_kind);
}

}  // namespace

void geometry(const Command& command) {
  set_threads(command.threads.value_or(0));
  json given = typed_values(command.values);
  if (command.max_length) given["max_length"] = *command.max_length;
  const Options options = GeometryRequest::options().resolve(given, "tsrun geometry");
  const GeometryRequest request = GeometryRequest::from(options, command.operands.size() > 1, "tsrun geometry");
  const ModelSource source = source_of(command.lab, command.operands[0]);
  const std::optional<Task> task = task_to_measure(command, model_kind_of(source));
  const Task* rows = task ? &*task : nullptr;
  const auto bare = make_family(CheckpointFolder::open(source.folder).config(), HeadSpec{}, (source.folder / "config.json").string());
  const Model model = load_source(command.lab, source, request.head(*bare, rows), command.delta, MissingHead::drawn);
  const GeometrySummary found = geometry_of(model, rows, request, command.lab.device);
  const json value = found.to_json();
  if (command.figures) draw(value, found.of, *command.figures);
  if (command.json) return print_json(value);
  print_result(head_text(command.operands[0], found) + metrics_text(found) + buckets_text(found));
}

}  // namespace tsrun::app
