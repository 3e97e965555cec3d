#include "tsrun/data/word_control.h"

#include "tsrun/base/error.h"
#include "tsrun/data/builtin.h"
#include "tsrun/data/words.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

namespace tsrun {
namespace {

using Words = std::vector<std::string>;

Words words_of(const Split& split) {
  Words words;
  for (const Example& example : split.examples)
    for (const std::string_view word : split_words(example.first)) words.emplace_back(word);
  return words;
}

Words sorted(Words words) {
  std::sort(words.begin(), words.end());
  return words;
}

/// Text with every word as "x": its white space and its number of words.
std::string shape_of(const std::string& text) {
  std::string shape;
  for (const char c : text)
    if (c == ' ' || c == '\n')
      shape += c;
    else if (shape.empty() || shape.back() != 'x')
      shape += 'x';
  return shape;
}

Example document(const std::string& text) {
  Example example;
  example.first = text;
  return example;
}

Task two_documents() {
  Task task;
  task.name = "two";
  task.kind = TaskKind::language_modelling;
  task.digest = "two";
  task.splits["train"].examples = {document("a  b a\nc"), document(" a d e f g h ")};
  task.splits["dev"].examples = {document("a z")};
  return task;
}

TEST(WordControl, ShufflesWordsOverTheWholeTrainingSplit_AndKeepsFrequenciesAndWhiteSpace) {
  const Task task = two_documents(), shuffled = with_words(task, {.rule = WordRule::shuffled, .seed = 3});
  const Words before = words_of(task.split("train")), after = words_of(shuffled.split("train"));
  EXPECT_NE(after, before);
  EXPECT_EQ(sorted(after), sorted(before));
  for (size_t row = 0; row < 2; ++row)
    EXPECT_EQ(shape_of(shuffled.split("train").examples[row].first), shape_of(task.split("train").examples[row].first));
  EXPECT_EQ(shuffled.split("dev").examples[0].first, "a z");
}

TEST(WordControl, DrawsWordsUniformlyFromTheTrainingSplit) {
  const Task task = make_builtin_task("builtin:stories");
  const Task uniform = with_words(task, {.rule = WordRule::uniform, .every_split = true});
  std::map<std::string, int64_t> counts;
  for (const std::string& word : words_of(task.split("train"))) counts[word] = 0;
  for (const std::string& word : words_of(uniform.split("train"))) ++counts.at(word);
  const double mean = static_cast<double>(words_of(task.split("train")).size()) / static_cast<double>(counts.size());
  for (const auto& [word, count] : counts) EXPECT_NEAR(static_cast<double>(count), mean, 7 * std::sqrt(mean)) << word;
  for (const std::string& word : words_of(uniform.split("dev"))) EXPECT_TRUE(counts.contains(word)) << word;
}

TEST(WordControl, FollowsItsSeed_AndIsPartOfTheTasksIdentity) {
  const Task task = two_documents();
  const auto made = [&](WordRule rule, uint64_t seed, bool every) { return with_words(task, {rule, seed, every}); };
  using enum WordRule;
  EXPECT_EQ(words_of(made(shuffled, 1, false).split("train")), words_of(made(shuffled, 1, false).split("train")));
  EXPECT_NE(words_of(made(shuffled, 1, false).split("train")), words_of(made(shuffled, 2, false).split("train")));
  std::set<std::string> digests = {task.digest};
  for (const WordRule rule : {shuffled, uniform})
    for (const uint64_t seed : {1u, 2u})
      for (const bool every : {false, true}) digests.insert(made(rule, seed, every).digest);
  EXPECT_EQ(digests.size(), 9u);
  EXPECT_EQ(made(as_written, 2, true).digest, task.digest);
}

TEST(WordControl, RefusesATaskOfAnotherKind) {
  try {
    with_words(make_builtin_task("topic"), {.rule = WordRule::shuffled});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("task 'topic' is a classification"));
  }
}

/// Words by how often they occur, most frequent first.
std::vector<int64_t> frequencies(const Words& words) {
  std::map<std::string, int64_t> counts;
  for (const std::string& word : words) ++counts[word];
  std::vector<int64_t> sorted;
  for (const auto& [word, count] : counts) sorted.push_back(count);
  std::sort(sorted.rbegin(), sorted.rend());
  return sorted;
}

TEST(BuiltinStories, HaveManyRareWords_AndSomeThatOnlyTestHas) {
  const Task task = make_builtin_task("builtin:stories");
  const Words train = words_of(task.split("train"));
  const std::vector<int64_t> counts = frequencies(train);
  EXPECT_GT(train.size(), 50000u);
  EXPECT_GT(counts.size(), 1500u);
  EXPECT_LT(counts.size(), 3000u);
  const auto rare = std::count_if(counts.begin(), counts.end(), [](int64_t count) { return count <= 5; });
  EXPECT_GT(static_cast<double>(rare) / static_cast<double>(counts.size()), 0.25);
  EXPECT_GT(counts[0], 50 * counts[counts.size() / 2]);
  const std::set<std::string> known(train.begin(), train.end());
  const Words test = words_of(task.split("test"));
  const auto strange = std::count_if(test.begin(), test.end(), [&](const std::string& word) { return !known.contains(word); });
  EXPECT_GT(strange, 0);
  EXPECT_LT(static_cast<double>(strange), 0.02 * static_cast<double>(test.size()));
}

/// When this fails because the stories were changed on purpose, raise their version and put the new digest here.
TEST(BuiltinStories, HaveTheBytesOfTheirVersion) {
  EXPECT_EQ(make_builtin_task("stories").digest, "dec038ac44a3623031e5823ff77f34039a4a7474c935d1bd4e046f6f7e85e9dd");
}

}  // namespace
}  // namespace tsrun
