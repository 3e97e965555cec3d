#pragma once

#include "tsrun/data/batch.h"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Helpers of the encoders of all kinds of task.
namespace tsrun::data {

using Ids = std::vector<int64_t>;

/// The special tokens that `encode` puts around one text.
struct RowFrame {
  Ids begin, end;
  int64_t size() const { return static_cast<int64_t>(begin.size() + end.size()); }
  /// `ids` between the special tokens; segments are 0.
  Encoding enclose(std::span<const int64_t> ids) const;
};
RowFrame frame_of(const Tokenizer& tokenizer);

/// Whether prompt and answer must be joined by a space: byte-level BPE encodes spaces as parts of words, other tokenizers add them.
bool needs_blanks(const Tokenizer& tokenizer);

/// Ids of each text without special tokens, in parallel.
std::vector<Ids> tokenize_all(const Tokenizer& tokenizer, std::span<const std::string> texts);

/// The token that ends an answer or a document: the end token, else the separator.
std::optional<int64_t> end_token(const Tokenizer& tokenizer);

void append_ids(Ids& ids, std::span<const int64_t> more);

/// Source of one row of a text_to_text or multiple_choice.
struct Answer {
  const Example* example = nullptr;
  std::string text;
  double target = 0;
};
EncodedSplit encode_answers(const Task& task, const Split& split, std::span<const Answer> answers, const Tokenizer& tokenizer,
                            const EncodeOptions& options);
EncodedSplit encode_words(const Split& split, const Tokenizer& tokenizer, const EncodeOptions& options);
EncodedSplit encode_documents(const Split& split, const Tokenizer& tokenizer, const EncodeOptions& options);

}  // namespace tsrun::data
