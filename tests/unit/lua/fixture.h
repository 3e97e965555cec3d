#pragma once

#include "support/folder_test.h"
#include "tsrun/lua/recipe.h"

#include <gmock/gmock.h>

namespace tsrun {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A recipe written into a folder of its own and run over a lab with two small operations:
///   ts.square{ x = 7 }      a stage with the value 49
///   ts.keep{ value = … }    remembers what arrived, and returns it
class RecipeTest : public FolderTest {
 protected:
  LabSettings lab_settings() {
    LabSettings settings;
    settings.store = folder_ / "store";
    settings.runs = folder_ / "runs";
    settings.plan_only = plan_only_;
    settings.seed = seed_;
    return settings;
  }

  std::unique_ptr<Lab> make_lab() {
    auto lab = std::make_unique<Lab>(lab_settings());
    lab->add(square());
    lab->add(keep());
    for (const auto& operation : more_) lab->add(operation);
    return lab;
  }

  std::filesystem::path write(const std::string& text, const std::string& name = "recipe.lua") {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }

  /// Runs `text`; what ts.keep received is in `kept_`.
  void run(const std::string& text, const std::map<std::string, std::string>& values = {}) {
    const auto lab = make_lab();
    settings_.values = values;
    run_recipe(*lab, write(text), settings_);
  }

  /// The failure of `text`, without the folder's name.
  Error failure(const std::string& text, const std::map<std::string, std::string>& values = {}) {
    const auto error = error_of([&] { run(text, values); });
    std::string message = error.what();
    const auto prefix = folder_.string() + "/";
    for (auto at = message.find(prefix); at != message.npos; at = message.find(prefix)) message.erase(at, prefix.size());
    return Error(error.kind(), message);
  }

  std::vector<json> kept_;
  std::vector<Operation> more_;  ///< of a test's own
  int computed_ = 0;
  uint64_t seed_ = 1;
  bool plan_only_ = false;
  RecipeSettings settings_;

 private:
  Operation square() {
    Operation operation;
    operation.name = "square";
    operation.doc = "Squares a number.";
    operation.options = {{.name = "x", .type = OptionType::integer, .doc = "Number.", .required = true, .minimum = 0, .maximum = 1000},
                         {.name = "epochs", .type = OptionType::integer, .fallback = 3, .doc = "Unused."},
                         {.name = "list", .type = OptionType::list, .doc = "Unused."}};
    operation.run = [this](Lab& lab, const Options& options) {
      const auto x = options.integer("x");
      return lab.stage({"square", {{"x", x}}}, "square", json::object(), [&](const auto&, const auto&) {
        ++computed_;
        return json{{"value", x * x}, {"nothing", json::array()}, {"none", json::object()}};
      });
    };
    return operation;
  }

  Operation keep() {
    Operation operation;
    operation.name = "keep";
    operation.doc = "Keeps a value.";
    operation.options = {{.name = "name", .type = OptionType::text, .fallback = "", .doc = "Name."}};
    operation.more = [this](Lab&, const json& arguments) {
      kept_.push_back(arguments);
      OptionTable any;
      for (const auto& [name, value] : arguments.items())
        if (name != "name") any.add({.name = name, .type = type_of(value), .doc = "Any."});
      return any;
    };
    operation.run = [](Lab&, const Options& options) { return options.json(); };
    return operation;
  }

  static OptionType type_of(const json& value) {
    if (value.is_array()) return OptionType::list;
    if (value.is_object()) return OptionType::table;
    if (value.is_boolean()) return OptionType::boolean;
    return value.is_number() ? OptionType::number : OptionType::text;
  }
};

}  // namespace tsrun
