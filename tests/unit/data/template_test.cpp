#include "data/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace tsrun::data {
namespace {

const std::vector<std::string> kNames = {"premise", "hypothesis"};

std::string filled(const std::string& text) {
  const std::vector<std::string_view> texts = {"A {x}", "B"};
  return Template(text, kNames).fill(texts);
}

std::string problem(const std::string& text) {
  try {
    const Template made(text, kNames);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

TEST(Template, PutsTextsInTheirPlaces) {
  EXPECT_EQ(filled("p: {premise} h: {hypothesis}{hypothesis}."), "p: A {x} h: BB.");
  EXPECT_EQ(filled("no column"), "no column");
  EXPECT_EQ(filled(""), "");
}

TEST(Template, TakesDoubledBraces_AsBraces) { EXPECT_EQ(filled("{{{premise}}} }}{{"), "{A {x}} }{"); }

TEST(Template, NamesTheNearMiss_OfAnUnknownColumn) {
  EXPECT_EQ(problem("{premis}"), "found the column 'premis' (did you mean 'premise'?), expected one of premise and hypothesis");
  EXPECT_EQ(problem("{}"), "found the column '', expected one of premise and hypothesis");
}

TEST(Template, RefusesLoneBraces) {
  EXPECT_EQ(problem("a {premise"), "found a '{' without a '}' behind it, expected '{{' for a brace");
  EXPECT_EQ(problem("a }"), "found a '}' without a '{' before it, expected '}}' for a brace");
  EXPECT_EQ(problem("{"), "found a '{' without a '}' behind it, expected '{{' for a brace");
}

TEST(EscapeBraces, GivesATemplate_ThatShowsTheText) { EXPECT_EQ(filled(escape_braces("a{b}}{")), "a{b}}{"); }

}  // namespace
}  // namespace tsrun::data
