#include "tsrun/data/builtin.h"

#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

namespace tsrun {
namespace {

std::string text_of(const Example& example) { return example.first + "\t" + example.second.value_or(""); }

class EveryBuiltinTask : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Names, EveryBuiltinTask, ::testing::ValuesIn(builtin_task_names()), [](const auto& info) { return info.param; });

TEST_P(EveryBuiltinTask, IsTheSameEveryTime) {
  EXPECT_EQ(make_builtin_task(GetParam()).digest, make_builtin_task("builtin:" + GetParam()).digest);
}

TEST_P(EveryBuiltinTask, HasItsClassesInEqualNumbers) {
  const Task task = make_builtin_task(GetParam());
  for (const auto& [name, split] : task.splits) {
    if (task.kind == TaskKind::regression) {
      for (const Example& example : split.examples)
        EXPECT_TRUE(example.target >= task.low && example.target <= task.high) << example.target;
      continue;
    }
    std::map<double, int64_t> counts;
    for (const Example& example : split.examples) ++counts[example.target];
    EXPECT_EQ(counts.size(), task.labels.size());
    for (const auto& [label, count] : counts)
      EXPECT_NEAR(count, split.examples.size() / task.labels.size(), 1) << task.labels.at(static_cast<size_t>(label));
  }
}

TEST_P(EveryBuiltinTask, NeverRepeatsARow) {
  const Task task = make_builtin_task(GetParam());
  std::set<std::string> seen;
  for (const auto& [name, split] : task.splits) {
    for (const Example& example : split.examples) EXPECT_TRUE(seen.insert(text_of(example)).second) << name << ": " << text_of(example);
  }
}

TEST_P(EveryBuiltinTask, TokenisesWithoutUnknownWords) {
  const Task task = make_builtin_task(GetParam());
  const auto tokenizer = make_builtin_tokenizer();
  const int64_t unknown = tokenizer->id("[UNK]").value();
  for (const auto& [name, split] : task.splits) {
    for (const Example& example : split.examples) {
      const Encoding row = tokenizer->encode(example.first, example.second);
      EXPECT_THAT(row.ids, ::testing::Not(::testing::Contains(unknown))) << text_of(example);
      EXPECT_LE(row.ids.size(), 64U);
    }
  }
}

TEST_P(EveryBuiltinTask, AsksInDevForWordsThatTrainNeverShows) {
  const Task task = make_builtin_task(GetParam());
  const auto words = [](const Example& example) {
    std::istringstream stream(text_of(example));
    return std::set<std::string>(std::istream_iterator<std::string>(stream), {});
  };
  std::set<std::string> shown;
  for (const Example& example : task.split("train").examples) shown.merge(words(example));
  const auto& dev = task.split("dev").examples;
  const auto strange = std::count_if(dev.begin(), dev.end(), [&](const Example& example) {
    const auto used = words(example);
    return !std::includes(shown.begin(), shown.end(), used.begin(), used.end());
  });
  EXPECT_GT(static_cast<double>(strange) / static_cast<double>(dev.size()), 0.6);
}

TEST(BuiltinTask, NamesTheNearMissOfAnUnknownName) {
  try {
    make_builtin_task("builtin:entailmnt");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("did you mean 'entailment'"));
  }
}

TEST(BuiltinCorpus, IsAPrefixOfALongerOneAndDependsOnItsSeed) {
  const auto few = make_builtin_corpus(50), many = make_builtin_corpus(100);
  EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
  EXPECT_NE(few, make_builtin_corpus(50, 1));
}

TEST(BuiltinCorpus, HoldsPairsInKnownWords) {
  const auto tokenizer = make_builtin_tokenizer();
  const int64_t unknown = tokenizer->id("[UNK]").value();
  int64_t pairs = 0;
  for (const std::string& line : make_builtin_corpus(2000)) {
    EXPECT_THAT(tokenizer->tokenize(line), ::testing::Not(::testing::Contains(unknown))) << line;
    const auto tabs = std::count(line.begin(), line.end(), '\t');
    EXPECT_LE(tabs, 1);
    pairs += tabs;
  }
  EXPECT_EQ(pairs, 2000);
}

/// When this fails because the language was changed on purpose, raise builtin_version() and put the new digest here.
TEST(BuiltinLanguage, HasTheBytesOfItsVersion) {
  Sha256 hash;
  for (const std::string& name : builtin_task_names()) hash.update(make_builtin_task(name).digest);
  for (const std::string& line : make_builtin_corpus(1000)) hash.update(line);
  EXPECT_EQ(std::string(builtin_version()) + " " + hash.hex(), "3 41d102a39b98db12850e300f22f48ffeee2a47ae2087b7251d54b2eee4b6cfec");
}

}  // namespace
}  // namespace tsrun
