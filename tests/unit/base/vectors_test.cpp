#include "tsrun/base/vectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/errors.h"
#include "support/every_vectors.h"
#include "tsrun/base/error.h"
#include "tsrun/base/random.h"

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Vectors, AreNamedAsTheEnvironmentVariableNamesThem) {
  for (const Vectors each : vectors_available()) EXPECT_EQ(vectors_named(std::string(vectors_name(each))), each);
  EXPECT_EQ(vectors_available().front(), Vectors::baseline);
}

TEST(Vectors, RefusesAnUnknownName_SayingTheChoices) {
  try {
    vectors_named("avx521");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("TSRUN_VECTORS=avx521"), HasSubstr("baseline, avx2 and avx512"), HasSubstr("'avx512'")));
  }
}

TEST(Vectors, RefusesWhatTheProcessorLacks) {
  for (const Vectors each : {Vectors::avx2, Vectors::avx512}) {
    const auto available = vectors_available();
    if (std::find(available.begin(), available.end(), each) != available.end()) continue;
    EXPECT_THROW(vectors_named(std::string(vectors_name(each))), Error);
    EXPECT_THROW(set_vectors(each), Error);
  }
}

TEST(Vectors, NeverChangeRandomNumbers) {
  std::vector<std::vector<float>> results;
  with_every_vectors([&] {
    std::vector<float> numbers(2 * 1031);
    fill_normal(Key::root(6), std::span(numbers).first(1031), 77, 0.5F, 2);
    fill_uniform(Key::root(6), std::span(numbers).last(1031), 77, -1, 3);
    results.push_back(numbers);
  });
  for (const auto& result : results) EXPECT_EQ(result, results.front());
}

}  // namespace
}  // namespace tsrun
