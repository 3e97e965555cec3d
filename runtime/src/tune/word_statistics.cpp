#include "tsrun/tune/word_statistics.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/linalg/nearest_units.h"
#include "tsrun/model/parts.h"

#include <bit>
#include <limits>

namespace tsrun {
at::Tensor token_counts(Probe& probe, int64_t vocabulary) {
  at::Tensor counts = at::zeros({vocabulary}, at::kLong);
  int64_t* of = counts.mutable_data_ptr<int64_t>();
  for (int64_t row = 0; row < probe.rows(); ++row)
    for (const auto& text : probe.ids(row))
      for (const int64_t id : text)
        if (id >= 0 && id < vocabulary) ++of[id];
  return counts;
}

at::Tensor doubling_buckets(const at::Tensor& counts) {
  at::Tensor buckets = at::empty_like(counts);
  const int64_t* from = counts.const_data_ptr<int64_t>();
  int64_t* to = buckets.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < counts.numel(); ++i) to[i] = std::bit_width(static_cast<uint64_t>(from[i]));
  return buckets;
}

std::string input_embeddings(const Family& family) { return word_embeddings(family)->name; }

std::string output_embeddings(const Family& family) {
  const HeadKind head = family.head().kind;
  const bool words = head == HeadKind::masked_lm || head == HeadKind::causal_lm || head == HeadKind::seq2seq_lm;
  return words ? family.label_matrix() : "";
}

Option word_matrix_option() {
  return {
      .name = "matrix",
      .type = OptionType::choice,
      .fallback = "embeddings",
      .doc = "vectors of words: those that the head scores, those that the model reads, or (embeddings) the former where there are such",
      .choices = {"embeddings", "input_embeddings", "output_embeddings"}};
}

std::string word_matrix(const Family& family, const std::string& choice, const std::string& who) {
  const std::string scores = output_embeddings(family);
  if (choice == "output_embeddings" && scores.empty())
    user_error("{}: the {} head scores no words; expected matrix = \"input_embeddings\"", who, name_of(family.head().kind));
  return choice == "input_embeddings" || scores.empty() ? input_embeddings(family) : scores;
}

at::Tensor unit_rows(const at::Tensor& rows) {
  const at::Tensor norms = rows.norm(2, {-1}, true);
  return rows / at::where(norms > 0, norms, at::full_like(norms, std::numeric_limits<double>::infinity()));
}

NearestRows nearest_rows(const at::Tensor& rows, int64_t k) {
  const at::NoGradGuard no_grad;
  const int64_t count = rows.size(0);
  if (k < 1 || k >= count) internal_error("the {} nearest of {} rows", k, count);
  const at::Tensor unit = unit_rows(rows.detach().to(at::kCPU, at::kFloat)).contiguous();
  const LargestLists nearest = nearest_units(unit.const_data_ptr<float>(), count, unit.size(1), k);
  return {at::tensor(nearest.columns(), at::kLong).view({count, k}), at::tensor(nearest.values(), at::kFloat).view({count, k})};
}

}  // namespace tsrun
