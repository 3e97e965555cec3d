#include "data/rows.h"
#include "tsrun/base/error.h"

#include <algorithm>

namespace tsrun::data {
namespace {

/// Tokens of one document within a stream.
struct Stretch {
  int64_t begin = 0, end = 0;  ///< tokens
  int64_t bytes = 0, example = 0;
};

/// Documents end to end, or a single one.
struct TokenStream {
  Ids ids;
  std::vector<Stretch> documents;
  int64_t size() const { return static_cast<int64_t>(ids.size()); }
};

/// Streams that blocks are cut from: one a document, or one of all.
std::vector<TokenStream> streams_of(const Split& split, std::vector<Ids> documents, Blocks blocks) {
  std::vector<TokenStream> streams(blocks == Blocks::joined ? 1 : documents.size());
  for (size_t at = 0; at < documents.size(); ++at) {
    TokenStream& stream = streams[blocks == Blocks::joined ? 0 : at];
    const int64_t begin = stream.size();
    append_ids(stream.ids, documents[at]);
    Ids().swap(documents[at]);
    stream.documents.push_back({begin, stream.size(), static_cast<int64_t>(split.examples[at].first.size()), static_cast<int64_t>(at)});
  }
  return streams;
}

/// Bytes of the tokens [from, to) of a document, divided evenly among its tokens from `first` on. Shares of neighbours add up exactly.
int64_t share(const Stretch& document, int64_t first, int64_t from, int64_t to) {
  const int64_t begin = std::max(first, document.begin), tokens = document.end - begin;
  const auto before = [&](int64_t token) {
    const auto passed = static_cast<double>(std::clamp(token, begin, document.end) - begin);
    return token >= document.end ? document.bytes
                                 : static_cast<int64_t>(passed / static_cast<double>(tokens) * static_cast<double>(document.bytes));
  };
  return tokens <= 0 ? 0 : before(to) - before(from);
}

/// Walks through the documents of a stream along with its blocks.
class BlockCutter {
 public:
  BlockCutter(const TokenStream& stream, int64_t first, EncodedSplit& into) : stream_(stream), first_(first), into_(into) {}

  /// A row of the block [begin, end), whose targets are the tokens [from, to).
  void add(Encoding row, int64_t begin, int64_t from, int64_t to) {
    int64_t bytes = 0;
    while (stream_.documents[document_].end <= begin) ++document_;
    for (size_t at = document_; at < stream_.documents.size() && stream_.documents[at].begin < to; ++at)
      bytes += share(stream_.documents[at], first_, from, to);
    into_.examples.push_back(stream_.documents[document_].example);
    into_.bytes.push_back(bytes);
    into_.targets.push_back(0);
    into_.rows.push_back(std::move(row));
  }

 private:
  const TokenStream& stream_;
  int64_t first_;  ///< first token that is a target
  EncodedSplit& into_;
  size_t document_ = 0;
};

void cut_causal(const TokenStream& stream, int64_t length, bool continued, EncodedSplit& into) {
  BlockCutter cutter(stream, 1, into);
  for (int64_t begin = 0; begin + 1 < stream.size(); begin += length) {
    const int64_t end = std::min(begin + length, stream.size()), to = std::min(end + 1, stream.size());
    const std::span ids(stream.ids);
    Ids targets(stream.ids.begin() + begin + 1, stream.ids.begin() + to);
    targets.resize(static_cast<size_t>(end - begin), no_target);
    into.token_targets.push_back(std::move(targets));
    if (continued) into.continues.push_back(begin > 0);
    const auto block = ids.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    cutter.add({Ids(block.begin(), block.end()), Ids(block.size(), 0)}, begin, begin + 1, to);
  }
}

void cut_masked(const TokenStream& stream, int64_t length, const RowFrame& frame, EncodedSplit& into) {
  BlockCutter cutter(stream, 0, into);
  for (int64_t begin = 0; begin < stream.size(); begin += length) {
    const int64_t end = std::min(begin + length, stream.size());
    const auto block = std::span(stream.ids).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    cutter.add(frame.enclose(block), begin, begin, end);
  }
}

/// Documents as rows of a causal model: with the special tokens of the tokenizer, and an end token behind each if there is one.
std::vector<Ids> whole_documents(const Split& split, const Tokenizer& tokenizer, const RowFrame& frame) {
  std::vector<std::string> texts;
  for (const Example& example : split.examples) texts.push_back(example.first);
  std::vector<Ids> documents = tokenize_all(tokenizer, texts);
  const auto end = tokenizer.special_id(SpecialToken::end);
  const bool has_end = end && !frame.end.empty() && frame.end.back() == *end;
  for (Ids& ids : documents) {
    ids.insert(ids.begin(), frame.begin.begin(), frame.begin.end());
    append_ids(ids, frame.end);
    if (end && !has_end) ids.push_back(*end);
  }
  return documents;
}

/// Documents without special tokens; where they are joined, a separator (else an end token) stands between them.
std::vector<Ids> bare_documents(const Split& split, const Tokenizer& tokenizer, Blocks blocks) {
  std::vector<std::string> texts;
  for (const Example& example : split.examples) texts.push_back(example.first);
  std::vector<Ids> documents = tokenize_all(tokenizer, texts);
  const auto separator = tokenizer.special_id(SpecialToken::separator);
  const auto between = separator ? separator : tokenizer.special_id(SpecialToken::end);
  for (size_t at = 0; blocks == Blocks::joined && between && at + 1 < documents.size(); ++at) documents[at].push_back(*between);
  return documents;
}

}  // namespace

EncodedSplit encode_documents(const Split& split, const Tokenizer& tokenizer, const EncodeOptions& options) {
  const RowFrame frame = frame_of(tokenizer);
  const bool causal = options.model_kind == ModelKind::causal;
  const int64_t specials = causal ? 0 : frame.size();
  if (options.max_length <= specials)
    user_error("max_length is {}, expected at least {} (a token and the special tokens of a block)", options.max_length, specials + 1);
  std::vector<Ids> documents = causal ? whole_documents(split, tokenizer, frame) : bare_documents(split, tokenizer, options.blocks);
  EncodedSplit encoded;
  for (const TokenStream& stream : streams_of(split, std::move(documents), options.blocks))
    causal ? cut_causal(stream, options.max_length, options.continued, encoded)
           : cut_masked(stream, options.max_length - specials, frame, encoded);
  return encoded;
}

}  // namespace tsrun::data
