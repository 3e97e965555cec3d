#include "tsrun/base/unread.h"

#include "support/errors.h"

namespace tsrun {
namespace {

OptionTable declared() {
  return {{.name = "rank", .type = OptionType::integer, .fallback = 8, .doc = "Rank."},
          {.name = "rate", .type = OptionType::number, .fallback = 2, .doc = "Rate."},
          {.name = "dim", .type = OptionType::integer, .doc = "Directions."}};
}

void refuse_rate_and_dim(const nlohmann::json& given) {
  refuse_unread(declared().resolve(given, "here"), declared(), {"rate", "dim"}, "lora", "all are random");
}

TEST(RefuseUnread, NamesTheOption_AndSaysWhyNothingReadsIt) {
  EXPECT_EQ(testing::message_of(ErrorKind::user,
                                [] {
                                  refuse_rate_and_dim({{"rate", 0.5}});
                                }),
            "lora: nothing reads option 'rate': all are random; expected it left out");
  EXPECT_THAT(testing::message_of(ErrorKind::user, [] { refuse_rate_and_dim({{"dim", 1}}); }), ::testing::HasSubstr("'dim'"));
}

TEST(RefuseUnread, LetsPassWhatIsRead_AndDefaultsThatAreGiven) {
  EXPECT_NO_THROW(refuse_rate_and_dim({{"rank", 3}}));
  EXPECT_NO_THROW(refuse_rate_and_dim({{"rate", 2.0}, {"dim", nullptr}}));
}

TEST(RefuseUnread, KnowsDeclaredOptionsAlone) {
  testing::message_of(ErrorKind::internal, [] { refuse_unread(Options(), declared(), {"width"}, "lora", "no reason"); });
}

}  // namespace
}  // namespace tsrun
