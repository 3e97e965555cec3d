#include "tsrun/base/hash.h"

#include "support/errors.h"
#include "support/temporary_folder.h"

namespace tsrun {
namespace {

using testing::message_of;
using testing::TemporaryFolder;

TEST(Sha256, GivesTheKnownAnswers) {  // FIPS 180-4 examples
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnHowBytesArrive) {
  Sha256 pieces;
  pieces.update("a").update("").update("bc");
  EXPECT_EQ(pieces.hex(), sha256("abc"));
}

TEST(Sha256, HashesFiles) {
  const TemporaryFolder folder;
  EXPECT_EQ(sha256_file(folder.write("x", "abc")), sha256("abc"));
  EXPECT_EQ(sha256_file(folder.write("x", "")), sha256(""));
  message_of(ErrorKind::data, [&] { sha256_file(folder / "none"); });
}

TEST(Sha256, IsSpentAfterItsDigest) {
  Sha256 hash;
  hash.hex();
  message_of(ErrorKind::internal, [&] { hash.hex(); });
}

}  // namespace
}  // namespace tsrun
