#pragma once

#include "tsrun/data/task.h"

#include <cstdint>
#include <string>
#include <vector>

/// Controls of language modelling: the same text with other words in its places.
namespace tsrun {

enum class WordRule {
  as_written,
  shuffled,  ///< the words of a split, permuted over the whole split: frequencies stay, order is gone
  uniform    ///< each word drawn uniformly from the different words of the training split: frequencies are gone too
};

struct WordControl {
  WordRule rule = WordRule::as_written;
  uint64_t seed = 1;
  bool every_split = false;  ///< false: the training split alone
};

/// The task with every word (text between white space) of its documents replaced as `control` says; white space stays, and so does the
/// number of words of each document. The digest tells them apart. @throws Error(user) for another kind than language_modelling
Task with_words(Task task, const WordControl& control);

/// All text of a split's rows: texts, words and answers.
std::vector<std::string> texts_of(const Split& split);

}  // namespace tsrun
