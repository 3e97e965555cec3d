#include "experiment/taken_options.h"

#include "tsrun/base/unread.h"
#include "tsrun/train/reading.h"

namespace tsrun::experiment {

Options taken_options(const OptionTable& known, const Options& call) {
  nlohmann::json taken = nlohmann::json::object();
  for (const Option& option : known.all()) taken[option.name] = call.value(option.name);
  return Options(std::move(taken));
}

OptionTable reading_options() {
  const OptionTable all = text_options();
  OptionTable table;
  for (const char* name : {"max_length", "blocks", "max_answer_length"}) table.add(*all.find(name));
  return table;
}

OptionTable row_options() {
  return {
      {.name = "rows", .type = OptionType::integer, .fallback = 0, .doc = "number of training rows; 0: all", .minimum = 0},
      {.name = "rows_seed",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "seed of the choice of `rows`: the same rows for every seed of the training, unless it follows it",
       .minimum = 0},
      {.name = "stratify",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "rows with the split's own shares of the classes (of a regression, of five bins of its values)"},
  };
}

void limit_training_rows(Task& task, const Options& options) {
  limit_rows(task, "train", options.integer("rows"), options.flag("stratify") ? RowChoice::stratified : RowChoice::random,
             options.integer("rows_seed"));
}

void require_rows_read(const Options& options, const char* where) {
  if (options.integer("rows") == 0) refuse_unread(options, row_options(), {"stratify", "rows_seed"}, where, "all rows are used (rows)");
}

Option training_rows_option() {
  return {
      .name = "training_rows",
      .type = OptionType::table,
      .fallback = nlohmann::json::object(),
      .doc = "{rows, rows_seed, stratify} of the training that follows: of the training rows, those that may be looked at; absent: all"};
}

Options training_rows(const Options& call, const std::string& where) {
  const std::string place = where + ": training_rows";
  Options rows = row_options().resolve(call.value("training_rows"), place);
  require_rows_read(rows, place.c_str());
  return rows;
}

void key_training_rows(nlohmann::json& inputs, const Options& rows) {
  if (rows.integer("rows") > 0) inputs["training_rows"] = rows.json();
}

}  // namespace tsrun::experiment
