#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"
#include "tsrun/text/tokenizer.h"

#include <exception>
#include <mutex>

namespace tsrun {

std::vector<Encoding> encode_batch(const Tokenizer& tokenizer, std::span<const std::string> first, std::span<const std::string> second,
                                   std::optional<int64_t> max_length, Truncation truncation) {
  constexpr int64_t kGrain = 16;  // texts; shorter shares cost more than they gain
  if (!second.empty() && second.size() != first.size())
    internal_error("{} first and {} second texts, expected as many", first.size(), second.size());
  std::vector<Encoding> rows(first.size());
  std::exception_ptr failure;
  std::mutex failing;
  parallel_for(static_cast<int64_t>(first.size()), kGrain, [&](int64_t begin, int64_t end) {
    try {
      for (auto at = static_cast<size_t>(begin); at < static_cast<size_t>(end); ++at) {
        const auto other = second.empty() ? std::nullopt : std::optional<std::string_view>(second[at]);
        rows[at] = tokenizer.encode(first[at], other, max_length, truncation);
      }
    } catch (...) {
      const std::lock_guard lock(failing);
      if (!failure) failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
  return rows;
}

}  // namespace tsrun
