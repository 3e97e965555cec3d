#include "experiment/report_rows.h"

#include "experiment/handle_reader.h"

namespace tsrun::experiment {

namespace {

using nlohmann::json;

void take_model(const json& handle, ReportedRow& to) {
  HandleReader reader(handle, "model");
  to.model = reader.take<std::string>("spec");
  to.model_key = reader.find<std::string>("key");
}

void take_task(const json& handle, ReportedRow& to) {
  HandleReader reader(handle, "task");
  to.task = reader.take<std::string>("spec");
  to.task_key = reader.find<std::string>("key");
  to.metric = reader.take<std::string>("metric");
  const auto splits = reader.take<json>("splits");
  for (const auto& [name, split] : splits.items()) {
    HandleReader told(split, "task");
    to.majority_scores[name] = told.find<double>("majority_score").value_or(std::nan(""));
    to.split_rows[name] = told.find<int64_t>("rows").value_or(0);
  }
}

/// NaN where the metric has no value: Lua drops it.
double score_in(HandleReader& scores) { return scores.find<double>("score").value_or(std::nan("")); }

void take_scores(HandleReader& reader, ReportRow& to) {
  HandleReader best(reader.take<json>("best"), "result"), last(reader.take<json>("last"), "result");
  to.best = score_in(best);
  to.last = score_in(last);
  to.top_answer_share = last.find<double>("top_answer_share").value_or(0);
}

/// What ts.lr_search says of a training's rates.
void take_search(const json& given, Effort& effort) {
  HandleReader search(given, "search");
  effort.search = search.take<int64_t>("steps");
  effort.rates = search.take<std::string>("picked");
}

/// What a training within a subspace ships beside the rest: the basis and its coordinates.
void take_subspace_bytes(const json& binding, ReportRow& to) {
  const json subspace = binding.value("subspace", json());
  if (!subspace.is_object()) return;
  to.bytes_basis = subspace.value("bytes", int64_t{0});
  for (const json& dim : subspace.value("dims", json::array())) to.bytes_coordinates += dim.get<int64_t>() * int64_t{sizeof(float)};
}

void take_result(const json& result, ReportedRow& to) {
  HandleReader reader(result, "result");
  to.kind = reader.find<std::string>("artifact").value_or("");
  to.key = reader.find<std::string>("key").value_or("");
  take_model(reader.take<json>("model"), to);
  take_task(reader.take<json>("task"), to);
  take_scores(reader, to.row);
  to.row.seed = reader.find<int64_t>("seed").value_or(0);
  to.split = reader.find<std::string>("split");
  to.row.trainable = reader.find<int64_t>("trainable").value_or(0);
  to.row.degrees_of_freedom = reader.find<int64_t>("degrees_of_freedom").value_or(0);
  to.row.bytes_shipped = reader.find<int64_t>("bytes_shipped").value_or(0);
  take_subspace_bytes(reader.find<json>("binding").value_or(json::object()), to.row);
  to.trainable_share = reader.find<double>("trainable_share");
  to.forward_share = reader.find<double>("forward_share");
  to.backward_share = reader.find<double>("backward_share");
  to.row.effort = {.steps = to.kind == "train" ? reader.find<int64_t>("steps").value_or(0) : 0,
                   .before = reader.find<int64_t>("steps_before").value_or(0),
                   .search = {},
                   .reach = reader.find<double>("reach_share"),
                   .rates = {}};
  if (const auto search = reader.find<json>("search")) take_search(*search, to.row.effort);
  to.row.trained = reader.find<bool>("trained").value_or(true);
}

}  // namespace

ReportedRow ReportedRow::from_json(const json& given) {
  HandleReader reader(given, "row");
  ReportedRow reported;
  reported.row.variant = reader.take<std::string>("variant");
  const json section = reader.find<json>("section").value_or(json());
  if (section.is_string()) reported.row.section = section.get<std::string>();
  const auto result = reader.take<json>("result");
  try {
    take_result(result, reported);
  } catch (const Error& error) {
    if (result.is_object() && result.contains("artifact")) throw;
    user_error("row '{}': expected a result of ts.train or ts.evaluate: {}", reported.row.variant, error.what());
  }
  return reported;
}

TableHead head_of(const std::string& title, const std::vector<ReportedRow>& rows, const std::string& split) {
  TableHead head{.title = title, .model = {}, .task = {}, .split = split, .metric = {}, .majority_score = 0};
  if (rows.empty()) return head;
  const ReportedRow& first = rows.front();
  head.model = first.model;
  head.task = first.task;
  head.metric = first.metric;
  for (const ReportedRow& row : rows) {
    if (row.model != head.model || row.task != head.task)
      user_error(
          "row '{}' is of model {} and task {}, but the table began "
          "with {} and {}: make a report for each",
          row.row.variant, row.model, row.task, head.model, head.task);
    if (row.split && *row.split != split)
      user_error("row '{}' was scored on split '{}', but the table is of split '{}': score it there, or give the report that split",
                 row.row.variant, *row.split, split);
  }
  const auto majority = first.majority_scores.find(split);
  if (majority == first.majority_scores.end())
    user_error("option 'split' is '{}', which the task of row '{}' lacks", split, first.row.variant);
  head.majority_score = majority->second;
  return head;
}

}  // namespace tsrun::experiment
