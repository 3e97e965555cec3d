#include "tsrun/data/word_control.h"

#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/random.h"
#include "tsrun/data/words.h"

#include <algorithm>
#include <utility>

namespace tsrun {
namespace {

/// All words of a split in order.
std::vector<std::string> words_in(const Split& split) {
  std::vector<std::string> words;
  for (const Example& example : split.examples)
    for (const std::string_view word : split_words(example.first)) words.emplace_back(word);
  return words;
}

std::vector<std::string> permuted(const std::vector<std::string>& words, Key key) {
  std::vector<std::string> result;
  for (const int64_t place : permutation(key, static_cast<int64_t>(words.size()))) result.push_back(words[static_cast<size_t>(place)]);
  return result;
}

std::vector<std::string> drawn(size_t count, const std::vector<std::string>& vocabulary, Key key) {
  std::vector<std::string> result;
  Stream stream(key);
  while (result.size() < count) result.push_back(vocabulary[stream.below(vocabulary.size())]);
  return result;
}

/// Puts `words` in the places of the words of `split`, in order.
void replace_words(Split& split, const std::vector<std::string>& words) {
  auto next = words.begin();
  for (Example& example : split.examples) {
    std::string text;
    const char* done = example.first.data();
    for (const std::string_view word : split_words(example.first)) {
      text.append(done, word.data()).append(*next++);
      done = word.data() + word.size();
    }
    text.append(done, std::as_const(example.first).data() + example.first.size());
    example.first = std::move(text);
  }
}

}  // namespace

Task with_words(Task task, const WordControl& control) {
  if (control.rule == WordRule::as_written) return task;
  if (task.kind != TaskKind::language_modelling)
    user_error("task '{}' is a {}, and words are shuffled or drawn in language_modelling alone; expected words = \"as_written\"", task.name,
               name_of(task.kind));
  const bool shuffled = control.rule == WordRule::shuffled;
  const Key key = Key::root(control.seed).split("word control").split(shuffled ? "shuffled" : "uniform");
  std::vector<std::string> vocabulary = words_in(task.split("train"));
  std::sort(vocabulary.begin(), vocabulary.end());
  vocabulary.erase(std::unique(vocabulary.begin(), vocabulary.end()), vocabulary.end());
  for (auto& [name, split] : task.splits) {
    if (name != "train" && !control.every_split) continue;
    const std::vector<std::string> words = words_in(split);
    replace_words(split, shuffled ? permuted(words, key.split(name)) : drawn(words.size(), vocabulary, key.split(name)));
  }
  task.digest = sha256(fmt::format("words 1 {} {} {} {}", task.digest, shuffled, control.seed, control.every_split));
  return task;
}

std::vector<std::string> texts_of(const Split& split) {
  std::vector<std::string> texts;
  for (const Example& example : split.examples) {
    texts.push_back(example.first);
    if (example.second) texts.push_back(*example.second);
    texts.insert(texts.end(), example.answers.begin(), example.answers.end());
    if (example.words.empty()) continue;
    texts.push_back(fmt::format("{}", fmt::join(example.words, " ")));
  }
  return texts;
}

}  // namespace tsrun
