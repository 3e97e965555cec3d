#include "train/span_corruption.h"

#include "tsrun/data/builtin.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace tsrun::training {
namespace {

struct Corrupted : ::testing::Test {
  std::unique_ptr<Tokenizer> tokenizer = make_builtin_tokenizer("t5-mini");
  SpanCorruption spans{*tokenizer, 0.15, 3, Key::root(1)};
  int64_t first_sentinel = tokenizer->id("<extra_id_0>").value();

  static std::vector<int64_t> text(int64_t length) {
    std::vector<int64_t> ids(static_cast<size_t>(length));
    std::iota(ids.begin(), ids.end(), 100);
    return ids;
  }
  bool is_sentinel(int64_t id) const { return tokenizer->token(id).starts_with("<extra_id_"); }

  /// The text again: each sentinel of the input replaced by what the target says behind it.
  std::vector<int64_t> restored(const SpanCorruption::Row& row) const {
    std::vector<int64_t> ids;
    for (const int64_t id : row.input) {
      if (id == spans.end()) break;
      if (!is_sentinel(id)) {
        ids.push_back(id);
        continue;
      }
      auto next = std::find(row.target.begin(), row.target.end(), id) + 1;
      while (!is_sentinel(*next) && *next != spans.end()) ids.push_back(*next++);
    }
    return ids;
  }
};

TEST_F(Corrupted, SaysTheWholeTextBetweenInputAndTarget) {
  for (int64_t length = 2; length < 90; ++length) {
    const auto row = spans.apply(text(length), length, 0);
    EXPECT_EQ(restored(row), text(length));
    EXPECT_EQ(row.input.back(), spans.end());
    EXPECT_EQ(row.target.back(), spans.end());
    EXPECT_EQ(row.target.front(), first_sentinel);
  }
}

TEST_F(Corrupted, HidesTheShareInSpansOfTheMeanLength) {
  double hidden = 0, count = 0;
  for (int64_t row = 0; row < 200; ++row) {
    const auto made = spans.apply(text(80), row, 0);
    const auto sentinels = std::count_if(made.target.begin(), made.target.end(), [&](int64_t id) { return is_sentinel(id); });
    hidden += static_cast<double>(static_cast<int64_t>(made.target.size()) - 1 - sentinels);
    count += static_cast<double>(sentinels);
  }
  EXPECT_EQ(hidden / 200, 12);
  EXPECT_EQ(count / 200, 4);
}

TEST_F(Corrupted, DrawsAnewEveryEpochAndTheSameEveryTime) {
  EXPECT_EQ(spans.apply(text(60), 5, 2).input, spans.apply(text(60), 5, 2).input);
  EXPECT_NE(spans.apply(text(60), 5, 2).input, spans.apply(text(60), 5, 3).input);
  EXPECT_NE(spans.apply(text(60), 5, 2).input, spans.apply(text(60), 6, 2).input);
}

TEST(SpanCorruption, RefusesATokenizerWithoutSentinels) {
  EXPECT_ANY_THROW(SpanCorruption(*make_builtin_tokenizer(), 0.15, 3, Key::root(1)));
}

}  // namespace
}  // namespace tsrun::training
