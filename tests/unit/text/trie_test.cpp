#include "text/trie.h"

#include <gtest/gtest.h>

#include <string>

namespace tsrun::text {
namespace {

TEST(Trie, FindsLongestKey_AtTheStart) {
  Trie trie;
  trie.insert("fox", 3);
  trie.insert("foxes", 5);
  EXPECT_EQ(trie.longest("foxes run").id, 5);
  EXPECT_EQ(trie.longest("foxe").id, 3);
  EXPECT_EQ(trie.longest("foxe").length, 3u);
  EXPECT_EQ(trie.longest("fo").id, -1);
  EXPECT_EQ(trie.longest("").id, -1);
}

TEST(Trie, KeepsEveryKey_WhileItGrows) {
  Trie trie;
  for (int key = 0; key < 20000; ++key) trie.insert("key " + std::to_string(key), key);
  for (int key = 0; key < 20000; ++key) ASSERT_EQ(trie.longest("key " + std::to_string(key)).id, key);
}

TEST(Trie, ReplacesId_WhenAKeyComesAgain) {
  Trie trie;
  trie.insert("fox", 1);
  trie.insert("fox", 2);
  EXPECT_EQ(trie.longest("fox").id, 2);
}

TEST(Trie, SearchesBelowANode_WithoutTheNodesOwnKey) {
  Trie trie;
  trie.insert("##", 1);
  trie.insert("##ing", 2);
  const auto node = trie.find("##");
  ASSERT_TRUE(node.has_value());
  EXPECT_EQ(trie.longest("ing", *node).id, 2);
  EXPECT_EQ(trie.longest("", *node).id, -1);
  EXPECT_FALSE(trie.find("#x").has_value());
}

}  // namespace
}  // namespace tsrun::text
