#pragma once

#include "support/folder_test.h"
#include "tsrun/data/task.h"
#include "tsrun/experiment/lab.h"
#include "unit/train/toy.h"

#include <gmock/gmock.h>

#include <optional>
#include <string>

namespace tsrun {

/// A laboratory with the built-in plugins in a folder of its own, where a tiny BERT ("bert") and a task of sentiment ("task") are saved.
class LaboratoryTest : public FolderTest {
 protected:
  explicit LaboratoryTest(int64_t train_rows = 32) {
    save_model(toy::tiny_bert(), folder_ / "bert");
    save_task(toy::sentiment(train_rows, 8), folder_ / "task");
    LabSettings settings;
    settings.store = folder_ / "store";
    settings.plugins = {std::filesystem::path(TSRUN_BINARY_DIR) / "lib/tsrun/plugins"};
    lab_.emplace(settings);
  }

  nlohmann::json model(const std::string& name = "bert") { return lab_->call("model", {{"spec", (folder_ / name).string()}}); }
  nlohmann::json task() { return lab_->call("task", {{"spec", (folder_ / "task").string()}}); }
  /// A training of the model on the task, but for what `options` say.
  nlohmann::json trained(nlohmann::json options) {
    options["task"] = task();
    options["max_length"] = 24;
    if (!options.contains("model")) options["model"] = model();
    return lab_->call("train", options);
  }

  /// The message of `body`, which is the user's mistake.
  template <class Body>
  static std::string mistake(Body&& body) {
    const Error error = error_of(body);
    EXPECT_EQ(error.kind(), ErrorKind::user) << error.what();
    return error.what();
  }

  std::optional<Lab> lab_;
};

}  // namespace tsrun
