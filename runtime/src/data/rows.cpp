#include "data/rows.h"

#include "tsrun/base/parallel.h"

#include <algorithm>
#include <exception>
#include <mutex>

namespace tsrun::data {

Encoding RowFrame::enclose(std::span<const int64_t> ids) const {
  Encoding row;
  row.ids = begin;
  append_ids(row.ids, ids);
  append_ids(row.ids, end);
  row.segments.assign(row.ids.size(), 0);
  return row;
}

RowFrame frame_of(const Tokenizer& tokenizer) {
  const Ids empty = tokenizer.encode("").ids, some = tokenizer.encode("a").ids;
  const auto differs = std::mismatch(empty.begin(), empty.end(), some.begin(), some.end()).first;
  return {Ids(empty.begin(), differs), Ids(differs, empty.end())};
}

bool needs_blanks(const Tokenizer& tokenizer) {
  const Ids word = tokenizer.tokenize("a");
  Ids twice = word;
  append_ids(twice, word);
  return tokenizer.decode(twice, false).find(' ') == std::string::npos;
}

std::vector<Ids> tokenize_all(const Tokenizer& tokenizer, std::span<const std::string> texts) {
  constexpr int64_t kGrain = 16;  // texts; shorter shares cost more than they gain
  std::vector<Ids> rows(texts.size());
  std::exception_ptr failure;
  std::mutex failing;
  parallel_for(static_cast<int64_t>(texts.size()), kGrain, [&](int64_t begin, int64_t end) {
    try {
      for (auto at = static_cast<size_t>(begin); at < static_cast<size_t>(end); ++at) rows[at] = tokenizer.tokenize(texts[at]);
    } catch (...) {
      const std::lock_guard lock(failing);
      if (!failure) failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
  return rows;
}

std::optional<int64_t> end_token(const Tokenizer& tokenizer) {
  const auto end = tokenizer.special_id(SpecialToken::end);
  return end ? end : tokenizer.special_id(SpecialToken::separator);
}

void append_ids(Ids& ids, std::span<const int64_t> more) { ids.insert(ids.end(), more.begin(), more.end()); }

}  // namespace tsrun::data
