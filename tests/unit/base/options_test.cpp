#include "tsrun/base/options.h"

#include <limits>

#include "support/errors.h"

namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;

OptionTable table() {
  return {{.name = "rank", .type = OptionType::integer, .fallback = 8, .doc = "Rank of the update.", .minimum = 1, .maximum = 1024},
          {.name = "rate", .type = OptionType::number, .fallback = 0.5, .doc = "Learning rate.", .minimum = 0, .unit = "per step"},
          {.name = "law", .type = OptionType::choice, .fallback = "zero", .doc = "Initial law.", .choices = {"zero", "normal"}},
          {.name = "frozen", .type = OptionType::boolean, .fallback = false, .doc = "Whether it is frozen."},
          {.name = "layers", .type = OptionType::list, .doc = "Layers.", .minimum = 0},
          {.name = "extra", .type = OptionType::table, .doc = "Anything."},
          {.name = "label", .type = OptionType::text, .doc = "Name."},
          {.name = "basis", .type = OptionType::artifact, .doc = "A basis.", .choices = {"basis"}}};
}

std::string refusal(const json& given) {
  return message_of(ErrorKind::user, [&] { table().resolve(given, "x.lua:42: lora"); });
}

TEST(OptionTable, FillsInDefaultsAndNothingElse) {
  const Options options = table().resolve(nullptr, "x");
  EXPECT_EQ(options.integer("rank"), 8);
  EXPECT_EQ(options.number("rate"), 0.5);
  EXPECT_EQ(options.text("law"), "zero");
  EXPECT_FALSE(options.flag("frozen"));
  EXPECT_FALSE(options.has("layers"));
  EXPECT_TRUE(options.value("layers").is_null());
  EXPECT_EQ(options.json().size(), 4u);
}

TEST(OptionTable, TakesWhatFits) {
  const Options options = table().resolve({{"rank", 16.0},
                                           {"rate", 1},
                                           {"law", "normal"},
                                           {"frozen", true},
                                           {"layers", {1, 2.5}},
                                           {"extra", {{"a", 1}}},
                                           {"label", "x"},
                                           {"basis", {{"artifact", "basis"}}}},
                                          "x");
  EXPECT_EQ(options.integer("rank"), 16);
  EXPECT_TRUE(options.json()["rank"].is_number_integer());
  EXPECT_EQ(options.number("rate"), 1.0);
  EXPECT_EQ(options.value("extra")["a"], 1);
  EXPECT_EQ(options.text("label"), "x");
}

TEST(OptionTable, GivesOneCanonicalFormToEqualValues) {
  EXPECT_EQ(table().resolve({{"rank", 8}, {"rate", 1}}, "x").json().dump(),
            table().resolve({{"rate", 1.0}, {"rank", 8.0}}, "x").json().dump());
  EXPECT_EQ(table().resolve(json::object(), "x").json(), table().resolve({{"rank", 8}, {"label", nullptr}}, "x").json());
}

TEST(OptionTable, TakesAnEmptyLuaTableForAListOrATable) {
  const Options options = table().resolve({{"layers", json::object()}, {"extra", json::array()}}, "x");
  EXPECT_TRUE(options.value("layers").is_array());
  EXPECT_TRUE(options.value("extra").is_object());
  EXPECT_NO_THROW(table().resolve(json::array(), "x"));
}

TEST(OptionTable, SuggestsTheNearName) {
  EXPECT_EQ(refusal({{"rnk", 1}}), "x.lua:42: lora: unknown option 'rnk' (did you mean 'rank'?)");
  EXPECT_THAT(refusal({{"zebra", 1}}), HasSubstr("unknown option 'zebra'; known are rank, rate, law"));
  EXPECT_THAT(refusal({{"law", "zeros"}}), HasSubstr("option 'law' is 'zeros', expected one of zero and normal (did you mean 'zero'?)"));
}

TEST(OptionTable, SaysWhatItFoundAndWhatItExpects) {
  EXPECT_EQ(refusal({{"rank", 0}}), "x.lua:42: lora: option 'rank' is 0, expected an integer from 1 to 1024");
  EXPECT_THAT(refusal({{"rank", 1025}}), HasSubstr("is 1025, expected an integer from 1 to 1024"));
  EXPECT_THAT(refusal({{"rank", 1.5}}), HasSubstr("is 1.5, expected an integer"));
  EXPECT_THAT(refusal({{"rank", "8"}}), HasSubstr("is '8', expected an integer"));
  EXPECT_THAT(refusal({{"rank", 1e300}}), HasSubstr("expected an integer"));
  EXPECT_THAT(refusal({{"rank", UINT64_MAX}}), HasSubstr("expected an integer"));
  EXPECT_THAT(refusal({{"rate", -1}}), HasSubstr("is -1, expected a number of at least 0"));
  EXPECT_THAT(refusal({{"rate", std::numeric_limits<double>::quiet_NaN()}}), HasSubstr("expected a number"));
  EXPECT_THAT(refusal({{"rate", std::numeric_limits<double>::infinity()}}), HasSubstr("expected a number"));
  EXPECT_THAT(refusal({{"frozen", 1}}), HasSubstr("is 1, expected true or false"));
  EXPECT_THAT(refusal({{"layers", 3}}), HasSubstr("is 3, expected a list of numbers of at least 0"));
  EXPECT_THAT(refusal({{"layers", {1, -1}}}), HasSubstr("is [1,-1], expected a list of numbers"));
  EXPECT_THAT(refusal({{"extra", "x"}}), HasSubstr("expected a table"));
  EXPECT_THAT(refusal({{"label", 7}}), HasSubstr("is 7, expected text"));
  EXPECT_THAT(refusal({{"basis", "builtin:x"}}), HasSubstr("is 'builtin:x', expected an artifact of kind basis"));
  EXPECT_THAT(refusal({{"basis", 7}}), HasSubstr("expected an artifact of kind basis"));
  EXPECT_THAT(refusal({{"basis", {{"artifact", "mask"}}}}), HasSubstr("is an artifact of kind mask, expected an artifact of kind basis"));
  EXPECT_THAT(refusal("x"), HasSubstr("expected a table of names and values"));
}

TEST(OptionTable, AsksForWhatIsRequired) {
  const OptionTable required{{.name = "model", .type = OptionType::text, .doc = "Folder.", .required = true}};
  EXPECT_EQ(message_of(ErrorKind::user, [&] { required.resolve(json::object(), "train"); }),
            "train: option 'model' is missing, expected text (Folder.)");
  EXPECT_NO_THROW(required.resolve({{"model", "x"}}, "train"));
}

TEST(OptionTable, RefusesItsOwnMistakes) {
  EXPECT_THAT(message_of(ErrorKind::internal, [] { table().add({.name = "rank", .doc = ""}); }), HasSubstr("declared twice"));
  EXPECT_THAT(message_of(ErrorKind::internal, [] { table().include(table()); }), HasSubstr("declared twice"));
  EXPECT_THAT(message_of(ErrorKind::internal, [] { OptionTable{{.name = "x", .type = OptionType::integer, .fallback = "y", .doc = ""}}; }),
              HasSubstr("default 'y' is not an integer"));
  const Options options = table().resolve(nullptr, "x");
  message_of(ErrorKind::internal, [&] { options.integer("law"); });
  message_of(ErrorKind::internal, [&] { options.flag("layers"); });
}

TEST(OptionTable, DescribesOneOptionALine) {
  const std::string text = table().describe();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 8);
  EXPECT_THAT(text, AllOf(HasSubstr("rank"), HasSubstr("an integer from 1 to 1024"), HasSubstr("default 8"), HasSubstr("in per step"),
                          HasSubstr("optional"), HasSubstr("Initial law.")));
}

TEST(Options, GivesTextsOfAListOrOfOneText) {
  const Options options(json{{"a", {"x", "y"}}, {"b", "z"}, {"c", {1}}});
  EXPECT_EQ(options.texts("a"), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(options.texts("b"), (std::vector<std::string>{"z"}));
  EXPECT_TRUE(options.texts("absent").empty());
  message_of(ErrorKind::user, [&] { options.texts("c"); });
}

TEST(Options, TakeOtherTypesThatAreNamed) {
  const OptionTable table = {{.name = "targets", .type = OptionType::list, .doc = "", .choices = {"text"}},
                             {.name = "layers", .type = OptionType::list, .doc = "", .choices = {"integer"}},
                             {.name = "ranks", .type = OptionType::table, .doc = "", .choices = {"list"}}};
  const Options options = table.resolve({{"targets", "query|key"}, {"layers", 2.0}, {"ranks", {{"a", 1}}}}, "test");
  EXPECT_EQ(options.value("targets"), "query|key");
  EXPECT_EQ(options.value("layers"), 2);
  EXPECT_EQ(table.resolve({{"ranks", nlohmann::json::array({{"b", 1}, {"a", 2}})}}, "test").value("ranks").dump(), R"([["b",1],["a",2]])");
  EXPECT_THAT(message_of(ErrorKind::user, [&] { table.resolve({{"targets", 3}}, "test"); }), HasSubstr("expected a list or text"));
}

}  // namespace
}  // namespace tsrun
