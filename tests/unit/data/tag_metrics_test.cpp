#include "tsrun/data/metrics.h"
#include "unit/data/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace tsrun {
namespace {

using ::testing::HasSubstr;
using Rows = std::vector<std::vector<int64_t>>;

const std::vector<std::string> kTags = {"O", "B-PER", "I-PER", "B-LOC", "I-LOC"};

double score_tags(const std::string& name, const Rows& predictions, const Rows& targets) {
  return tag_metric(name, predictions, targets, kTags);
}

/// Actual: PER [0,2), LOC [3,4). Predicted: PER [0,2), LOC [3,5). One of two on either side is right.
TEST(TagMetric, CountsWholeEntities) { EXPECT_DOUBLE_EQ(score_tags("entity_f1", {{1, 2, 0, 3, 4}}, {{1, 2, 0, 3, 0}}), 0.5); }

/// conlleval: O I-PER begins an entity, and so does I-LOC behind a PER; B- always does.
TEST(TagMetric, BeginsAnEntity_AtAnInnerTagWithoutItsBegin) {
  EXPECT_DOUBLE_EQ(score_tags("entity_f1", {{0, 2, 2, 4}}, {{0, 1, 2, 3}}), 1);
  EXPECT_DOUBLE_EQ(score_tags("entity_f1", {{1, 1}}, {{1, 2}}), 0);
  EXPECT_DOUBLE_EQ(score_tags("entity_f1", {{1, 4}}, {{1, 2}}), 0);
}

TEST(TagMetric, EndsEntities_WithTheirRow) { EXPECT_DOUBLE_EQ(score_tags("entity_f1", {{1}, {2}}, {{1}, {1}}), 1); }

/// Micro: 1 right of 3 predicted and 2 actual over two rows.
TEST(TagMetric, AddsUpRows) { EXPECT_DOUBLE_EQ(score_tags("entity_f1", {{1, 0, 1}, {3}}, {{1, 0, 0}, {1}}), 2 * 1.0 / 5); }

TEST(TagMetric, JudgesWords) {
  EXPECT_DOUBLE_EQ(score_tags("accuracy", {{0, 1}, {0}}, {{0, 2}, {0}}), 2.0 / 3);
  EXPECT_DOUBLE_EQ(score_tags("macro_f1", {{0, 1}, {0}}, {{0, 2}, {0}}), 1.0 / 5) << "the mean over all five tags";
}

/// seqeval: E- ends an entity, S- is one; bare types run on while they stay the same.
TEST(TagMetric, CountsEntities_OfOtherSchemes) {
  const std::vector<std::string> iobes = {"O", "B-X", "I-X", "E-X", "S-X"};
  EXPECT_DOUBLE_EQ(tag_metric("entity_f1", Rows{{1, 2, 3, 4, 0}}, Rows{{1, 2, 3, 4, 0}}, iobes), 1);
  EXPECT_DOUBLE_EQ(tag_metric("entity_f1", Rows{{4, 4}}, Rows{{1, 3}}, iobes), 0);
  EXPECT_DOUBLE_EQ(tag_metric("entity_f1", Rows{{1, 3, 2}}, Rows{{1, 3, 4}}, iobes), 1) << "what follows an E- begins an entity";
  const std::vector<std::string> bare = {"O", "PER", "LOC", "BOOK"};
  EXPECT_DOUBLE_EQ(tag_metric("entity_f1", Rows{{1, 1, 2, 3}}, Rows{{1, 1, 2, 0}}, bare), 4.0 / 5);
}

TEST(TagMetric, TakesTheMeanOverAllTags_WhicheverOccur) {
  EXPECT_DOUBLE_EQ(score_tags("macro_f1", {{0, 0}}, {{0, 0}}), 1.0 / 5);
  EXPECT_DOUBLE_EQ(score_tags("macro_f1", {{-1, 0}}, {{1, 0}}), 1.0 / 5) << "a word that was cut off misses its tag alone";
}

TEST(TagMetric, SurvivesNothing_AndTagsOutsideTheList) {
  for (const std::string& name : metric_names(TaskKind::token_classification)) {
    EXPECT_TRUE(std::isnan(score_tags(name, {}, {}))) << name;
    EXPECT_TRUE(std::isnan(score_tags(name, {{}}, {{}}))) << name;
  }
  EXPECT_EQ(score_tags("entity_f1", {{0, 0}}, {{0, 0}}), 0);
  EXPECT_EQ(score_tags("entity_f1", {{-100, 99}}, {{1, 3}}), 0);
}

TEST(TagMetric, RefusesRowsOfDifferentLength) {
  EXPECT_EQ(failure(
                [] {
                  score_tags("accuracy", {{0, 1}}, {{0}});
                },
                ErrorKind::internal),
            "metric 'accuracy' got 2 tags for 1 words in row 0, expected as many");
  EXPECT_EQ(failure([] { score_tags("accuracy", {}, {{0}}); }, ErrorKind::internal),
            "metric 'accuracy' got 0 predictions for 1 rows, expected as many");
  EXPECT_THAT(failure([] { score_tags("f1", {}, {}); }, ErrorKind::user), HasSubstr("unknown metric 'f1' of token_classification"));
}

TEST(LikelihoodMetric, CountsTokensOrBytes) {
  const double log_likelihood = 8 * std::log(2.0);
  EXPECT_DOUBLE_EQ(likelihood_metric("perplexity", log_likelihood, 4, 16), 4);
  EXPECT_DOUBLE_EQ(likelihood_metric("byte_perplexity", log_likelihood, 4, 16), std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(likelihood_metric("bits_per_byte", log_likelihood, 4, 16), 0.5);
}

TEST(LikelihoodMetric, IsNotANumber_WithoutTargets) {
  for (const std::string& name : metric_names(TaskKind::language_modelling)) {
    EXPECT_TRUE(std::isnan(likelihood_metric(name, 0, 0, 0))) << name;
    EXPECT_TRUE(std::isnan(likelihood_metric(name, std::nan(""), 1, 1))) << name;
  }
}

TEST(HigherIsBetter, IsFalse_OfPerplexitiesAndBits) {
  for (const char* name : {"perplexity", "byte_perplexity", "bits_per_byte"}) EXPECT_FALSE(higher_is_better(name)) << name;
  for (const char* name : {"accuracy", "f1", "entity_f1", "rouge_l", "exact_match", "spearman"})
    EXPECT_TRUE(higher_is_better(name)) << name;
  EXPECT_THAT(failure([] { higher_is_better("perplexty"); }, ErrorKind::user),
              HasSubstr("unknown metric 'perplexty' (did you mean 'perplexity'?)"));
}

}  // namespace
}  // namespace tsrun
