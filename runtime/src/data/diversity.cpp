#include "tsrun/data/diversity.h"

#include <algorithm>
#include <set>

namespace tsrun {
namespace {

using Ngram = std::span<const std::string>;

struct Before {
  bool operator()(const Ngram& a, const Ngram& b) const { return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end()); }
};

/// Collects the different n-grams of texts.
class NgramSet {
 public:
  explicit NgramSet(int64_t n) : n_(static_cast<size_t>(n)) {}
  void add(const Sequence& text) {
    for (size_t at = 0; at + n_ <= text.size(); ++at, ++all_) different_.insert(Ngram(text).subspan(at, n_));
  }
  int64_t all() const { return all_; }
  int64_t different() const { return static_cast<int64_t>(different_.size()); }

 private:
  size_t n_;
  int64_t all_ = 0;
  std::set<Ngram, Before> different_;
};

double share(int64_t part, int64_t whole) { return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole); }

}  // namespace

double distinct(std::span<const Sequence> texts, int64_t n, DistinctOver over) {
  NgramSet ngrams(n);
  int64_t tokens = 0;
  for (const Sequence& text : texts) {
    ngrams.add(text);
    tokens += static_cast<int64_t>(text.size());
  }
  return share(ngrams.different(), over == DistinctOver::tokens ? tokens : ngrams.all());
}

double repetition(std::span<const Sequence> texts, int64_t n) {
  double sum = 0;
  int64_t counted = 0;
  for (const Sequence& text : texts) {
    NgramSet ngrams(n);
    ngrams.add(text);
    if (ngrams.all() == 0) continue;
    sum += 1 - share(ngrams.different(), ngrams.all());
    ++counted;
  }
  return counted == 0 ? 0 : sum / static_cast<double>(counted);
}

}  // namespace tsrun
