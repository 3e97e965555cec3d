// Regular expressions as Python's re reads them.
#include "tune/python_expression.h"
#include "tsrun/base/error.h"

#include <gtest/gtest.h>

namespace tsrun::tune {
namespace {

bool fullmatch(const std::string& expression, const std::string& text) { return PythonExpression(expression, "x").fullmatch(text); }

TEST(PythonExpression, MatchesWholeTextsAsPythonDoes) {
  const std::vector<std::tuple<std::string, std::string, bool>> cases = {
      {R"(.*\.layer\.(0|11)\..*)", "bert.layer.11.query", true},
      {R"(.*\.layer\.(0|11)\..*)", "bert.layer.1.query", false},
      {"query", "attention.query", false},
      {"a|ab", "ab", true},
      {R"((?P<first_one>q)_(?P=first_one))", "q_q", true},
      {R"((?i)QUERY)", "query", true},
      {R"((?i:Q)uery)", "query", true},
      {R"([]a-c-]+)", "a-b]", true},
      {R"([^]a]+)", "bc", true},
      {"[a&&b]", "&", true},
      {"[[a]]", "a]", true},
      {"x{,2}", "xx", true},
      {"x{1,}", "xxx", true},
      {"x{a}", "x{a}", true},
      {"x{}", "x{}", true},
      {"a]}", "a]}", true},
      {R"(a\Z)", "a", true},
      {R"(\d+\.[\w.]+)", "12.a_b.c", true},
      {R"([\b])", "\b", true},
      {"(?:a(?=b)b)+", "abab", true},
      {"a(?#says nothing)b", "ab", true},
      {"(?>a+)b", "aab", true},
  };
  for (const auto& [expression, text, expected] : cases) {
    EXPECT_EQ(fullmatch(expression, text), expected) << expression << " " << text;
  }
}

TEST(PythonExpression, RefusesByName_WhatPythonRefusesOrIcuLacks) {
  for (const char* expression : {"(", "[a", "a)", "*a", R"(\p{L})", R"(\Qa\E)", R"(\h)", "(?<name>a)", "(?P<a>x)(?P<a>y)", "(?P=a)",
                                 "b(?i)a", "(a)?(?(1)b|c)", "(?L)a", "\\", "[z-a]", "[a--c]", R"(\N{DIGIT ONE})"}) {
    try {
      PythonExpression(expression, "target_modules");
      ADD_FAILURE() << expression << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::user);
      EXPECT_EQ(std::string(error.what()).rfind("target_modules: '", 0), 0U) << error.what();
    }
  }
}

TEST(PythonExpression, FindsTheNumberOfALayer) {
  const PythonExpression first(".*?\\.[^.]*\\.(\\d+)\\.", "x");
  EXPECT_EQ(first.last_group("model.layers.1.experts.0.w"), "1");
  EXPECT_EQ(first.last_group("h.0.attn"), std::nullopt);
}

}  // namespace
}  // namespace tsrun::tune
