#pragma once

#include "tsrun/base/options.h"
#include "tsrun/data/task.h"

namespace tsrun::experiment {

/// Of a call's options, those that `known` declares: what the trainer or a method is given of them.
Options taken_options(const OptionTable& known, const Options& call);

/// Options of ts.train that decide how the rows of a probe are read.
OptionTable reading_options();

/// rows, rows_seed and stratify: which training rows a training sees.
OptionTable row_options();
/// @throws Error(user) naming `where` for those that nothing reads
void require_rows_read(const Options& options, const char* where);
void limit_training_rows(Task& task, const Options& options);

/// `training_rows`, a table of row_options(): what a choice or a basis may look at before a training of these rows.
Option training_rows_option();
/// That of a call, resolved. @throws Error(user) naming `where`
Options training_rows(const Options& call, const std::string& where);
/// Adds them to the inputs of a key, where they are not all rows.
void key_training_rows(nlohmann::json& inputs, const Options& rows);

}  // namespace tsrun::experiment
