#include "tsrun/experiment/lab.h"

#include "support/folder_test.h"
#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/train/diverged.h"

#include <ATen/Context.h>
#include <gmock/gmock.h>

#include <csignal>

namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

class LabTest : public FolderTest {
 protected:
  LabSettings settings() {
    LabSettings settings;
    settings.store = folder_ / "store";
    return settings;
  }

  /// An operation that squares `x` in a stage; `more` gives an option only to mode "deep".
  static Operation square(int* computed) {
    Operation operation{"square",
                        "Squares a number.",
                        {{.name = "x", .type = OptionType::integer, .doc = "Number.", .required = true}, {.name = "mode", .doc = "Mode."}},
                        {},
                        {}};
    operation.run = [computed](Lab& lab, const Options& options) {
      const auto x = options.integer("x");
      return lab.stage({"square", options.json()}, "square", {{"value", nullptr}}, [=](const auto&, const auto&) {
        ++*computed;
        return json{{"value", x * x}};
      });
    };
    operation.more = [](Lab&, const json& arguments) {
      return arguments.value("mode", "") == "deep" ? OptionTable{{.name = "depth", .type = OptionType::integer, .doc = "Depth."}}
                                                   : OptionTable{};
    };
    return operation;
  }
};

TEST_F(LabTest, CallsAnOperation_AndReadsItFromTheStoreTheNextTime) {
  int computed = 0;
  for (const char* outcome : {"computed", "read"}) {
    Lab lab(settings());
    lab.add(square(&computed));
    const auto result = lab.call("square", {{"x", 7}});
    EXPECT_EQ(result["value"], 49);
    EXPECT_EQ(result["artifact"], "square");
    EXPECT_EQ(lab.store().get("square", result["key"]).meta["summary"]["value"], 49);
    ASSERT_EQ(lab.history().size(), 1u);
    EXPECT_EQ(lab.history()[0].outcome, outcome);
  }
  EXPECT_EQ(computed, 1);
}

TEST_F(LabTest, MakesADivergedStageOnce_AndLeavesNothingInTheStore) {
  int tried = 0;
  Lab lab(settings());
  Operation operation = square(nullptr);
  operation.run = [&](Lab& lab, const Options& options) {
    return lab.stage({"square", options.json()}, "square", json::object(), [&](const auto&, const auto&) -> json {
      ++tried;
      throw Diverged("step 3: the loss is nan", "loss not finite in step 3", 2);
    });
  };
  lab.add(std::move(operation));
  for (int i = 0; i < 2; ++i) {
    try {
      lab.call("square", {{"x", 7}});
      FAIL();
    } catch (const Diverged& error) {
      EXPECT_EQ(error.kind(), ErrorKind::run);
      EXPECT_EQ(error.reason(), "loss not finite in step 3");
    }
  }
  EXPECT_EQ(tried, 1);
  EXPECT_TRUE(lab.history().empty());
}

TEST_F(LabTest, PlansWithoutTouchingTheDisk) {
  int computed = 0;
  auto plan = settings();
  plan.plan_only = true;
  Lab lab(plan);
  lab.add(square(&computed));
  const auto result = lab.call("square", {{"x", 7}});
  EXPECT_EQ(result["planned"], true);
  EXPECT_EQ(result["artifact"], "square");
  EXPECT_TRUE(result.contains("value"));
  EXPECT_EQ(computed, 0);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "store"));
}

TEST_F(LabTest, PlansUnderTheKeyThatTheRunWillHave) {
  int computed = 0;
  auto plan = settings();
  plan.plan_only = true;
  Lab planning(plan), running(settings());
  planning.add(square(&computed));
  running.add(square(&computed));
  EXPECT_EQ(planning.call("square", {{"x", 5}})["key"], running.call("square", {{"x", 5}})["key"]);
  EXPECT_EQ(planning.call("square", {{"x", 5}})["value"], 25) << "what the store has need not be planned";
}

TEST_F(LabTest, KeysHoldTheOperationsVersion_TheProgramAndTheDevice) {
  int computed = 0;
  std::vector<std::string> keys;
  for (const int version : {1, 2}) {
    Lab lab(settings());
    Operation operation = square(&computed);
    operation.version = version;
    lab.add(std::move(operation));
    const auto result = lab.call("square", {{"x", 7}});
    keys.push_back(result["key"]);
    const auto made_by = lab.store().get("square", result["key"]).meta["made_by"];
    EXPECT_EQ(made_by["version"], version);
    EXPECT_EQ(made_by["operation"], "square");
    EXPECT_EQ(made_by["device"], "cpu");
    for (const char* name : {"tsrun", "torch"}) EXPECT_TRUE(made_by[name].is_string()) << name;
  }
  EXPECT_NE(keys[0], keys[1]);
  EXPECT_EQ(computed, 2) << "a result of another version was read";
}

TEST_F(LabTest, SaysCpu_OfOperationsThatNeverUseTheDevice) {
  auto elsewhere = settings();
  elsewhere.device = at::kMeta;
  const Lab lab(elsewhere);
  EXPECT_EQ(lab.made_by("train")["device"], "meta");
  EXPECT_EQ(lab.made_by("outliers")["device"], "cpu");
}

TEST_F(LabTest, NamesAStageAsTheRecipeDoes_WhichIsNoPartOfItsKey) {
  int computed = 0;
  Lab lab(settings());
  Operation operation = square(&computed);
  operation.named = true;
  std::vector<std::string> titles;
  operation.run = [&titles, inner = operation.run](Lab& lab, const Options& options) {
    EXPECT_FALSE(options.has("name"));
    titles.push_back(lab.title_of("square", 3));
    return inner(lab, options);
  };
  lab.add(std::move(operation));
  const auto key = lab.call("square", {{"x", 7}, {"name", "raw: outliers"}})["key"];
  EXPECT_EQ(key, lab.call("square", {{"x", 7}})["key"]);
  EXPECT_EQ(computed, 1);
  EXPECT_EQ(titles, (std::vector<std::string>{"raw: outliers, seed 3", "square, seed 3"}));
}

TEST_F(LabTest, ThrowsBusy_WhenAnotherProcessComputes_AndWaitingIsOff) {
  int computed = 0;
  Lab lab(settings());
  lab.add(square(&computed));
  const StageKey key{"square", {{"x", 3}}, lab.made_by("square")};
  const auto lock = FileLock::try_lock(lab.store().folder() / "locks" / key.digest());
  ASSERT_TRUE(lock);
  EXPECT_THROW(lab.call("square", {{"x", 3}}, {.wait = false}), Busy);
  EXPECT_TRUE(lab.history().empty());
}

TEST_F(LabTest, TellsACallBeforeItComputes_NotBeforeItReads_NorTheNextCall) {
  int computed = 0, told = 0;
  const CallContext context{.before_work = [&] { ++told; }};
  Lab lab(settings()), again(settings());
  lab.add(square(&computed));
  again.add(square(&computed));
  lab.call("square", {{"x", 3}}, context);
  EXPECT_EQ(told, 1);
  again.call("square", {{"x", 3}}, context);
  lab.call("square", {{"x", 4}});
  EXPECT_EQ(computed, 2);
  EXPECT_EQ(told, 1);
}

/// An operation whose argument `about` is a table, read by `read` behind the edge or before it.
class MisreadJson : public LabTest {
 protected:
  static const json& misread(const json& about) { return about.at("key"); }
  Error failure(const Operation& operation) {
    Lab lab(settings());
    lab.add(operation);
    return error_of([&] { lab.call("misread", {{"about", json::object()}}); });
  }
  Operation operation_ = {"misread", "Misreads.", {{.name = "about", .type = OptionType::table, .doc = "A table."}}, {}};
};

TEST_F(MisreadJson, IsABugOfOurs_InsideAnOperation) {
  operation_.run = [](Lab&, const Options& options) { return misread(options.value("about")); };
  const Error error = failure(operation_);
  EXPECT_EQ(error.kind(), ErrorKind::internal);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("misread: "), HasSubstr("key")));
}

TEST_F(MisreadJson, IsABugOfOurs_InsideAStage) {
  operation_.run = [](Lab& lab, const Options& options) {
    return lab.stage({"misread", {}}, "misread", {}, [&](const auto&, const auto&) { return misread(options.value("about")); });
  };
  EXPECT_EQ(failure(operation_).kind(), ErrorKind::internal);
}

TEST_F(MisreadJson, IsTheUsersMistake_WhereAHandleIsMadeUp) {
  const auto make = [](Lab&, const Options&) {
    return json{{"artifact", "thing"}, {"key", "1"}, {"list", json::array()}, {"half", 0.5}, {"nothing", nullptr}};
  };
  const auto read = [](Lab&, const Options& options) { return misread(options.value("about").at("value")); };
  Lab lab(settings());
  lab.add({.name = "make", .doc = "Makes.", .options = {}, .run = make});
  lab.add({.name = "read", .doc = "Reads.", .options = operation_.options, .run = read});
  json handle = lab.call("make", json::object());
  const auto kind = [&](const json& about) { return error_of([&] { lab.call("read", {{"about", {{"things", {about}}}}}); }).kind(); };
  EXPECT_EQ(kind(handle), ErrorKind::internal);
  handle.erase("nothing"), handle["list"] = json::object();  // as it comes back from Lua
  EXPECT_EQ(kind(handle), ErrorKind::internal);
  handle["half"] = 0.25;
  EXPECT_EQ(kind(handle), ErrorKind::user);
  EXPECT_EQ(kind({{"artifact", "thing"}}), ErrorKind::user);
}

TEST_F(MisreadJson, IsTheUsersMistake_WhereArgumentsAreParsed) {
  operation_.run = [](Lab&, const Options&) { return json(); };
  operation_.more = [](Lab&, const json& arguments) {
    misread(arguments.at("about"));
    return OptionTable();
  };
  const Error error = failure(operation_);
  EXPECT_EQ(error.kind(), ErrorKind::user);
  EXPECT_THAT(error.what(), HasSubstr("misread: an argument is not what ts returned"));
}

TEST_F(LabTest, NamesTheNearMiss_OfOperationsAndOptions) {
  int computed = 0;
  Lab lab(settings());
  lab.add(square(&computed));
  EXPECT_THAT(error_of([&] { lab.call("sqare", json::object()); }).what(),
              AllOf(HasSubstr("unknown operation 'sqare'"), HasSubstr("did you mean 'square'?")));
  EXPECT_THAT(error_of([&] {
                lab.call("square", {{"x", 1}, {"mod", "a"}});
              }).what(),
              AllOf(HasSubstr("square: "), HasSubstr("'mod'"), HasSubstr("did you mean 'mode'?")));
  EXPECT_THAT(error_of([&] { lab.call("square", {{"x", "seven"}}); }).what(), AllOf(HasSubstr("square: option 'x'"), HasSubstr("integer")));
}

TEST_F(LabTest, AcceptsOptionsThatDependOnArguments) {
  int computed = 0;
  Lab lab(settings());
  lab.add(square(&computed));
  EXPECT_NO_THROW(lab.call("square", {{"x", 1}, {"mode", "deep"}, {"depth", 2}}));
  EXPECT_EQ(error_of([&] { lab.call("square", {{"x", 1}, {"depth", 2}}); }).kind(), ErrorKind::user);
}

TEST_F(LabTest, RefusesTheSameOperationTwice) {
  int computed = 0;
  Lab lab(settings());
  lab.add(square(&computed));
  EXPECT_EQ(error_of([&] { lab.add(square(&computed)); }).kind(), ErrorKind::internal);
}

TEST_F(LabTest, RefusesADeviceThatIsNotThere) {
  if (at::hasCUDA()) GTEST_SKIP() << "this machine has CUDA";
  auto cuda = settings();
  cuda.device = at::Device("cuda");
  EXPECT_EQ(error_of([&] { Lab lab(cuda); }).kind(), ErrorKind::user);
}

TEST_F(LabTest, SavesABuiltinModelsPreTraining_WhenInterrupted) {
  watch_interrupts();
  std::raise(SIGTERM);
  try {
    Lab lab(settings());
    lab.call("model", {{"spec", "builtin:bert-mini"}});
    ADD_FAILURE() << "was not interrupted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::interrupt) << error.what();
  }
  clear_interrupt();
  size_t checkpoints = 0;
  for (const auto& work : std::filesystem::directory_iterator(settings().store / "work"))
    checkpoints += std::filesystem::exists(work.path() / "step-000000" / "manifest.json") ? 1 : 0;
  EXPECT_EQ(checkpoints, 1U);
}

}  // namespace
}  // namespace tsrun
