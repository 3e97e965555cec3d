#include "report/claims.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/data/metrics.h"
#include "tsrun/report/report.h"
#include "tsrun/report/text.h"

#include <fmt/format.h>
#include <boost/math/distributions/students_t.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

namespace tsrun {

namespace {

using Scores = std::map<int64_t, double>;  // by seed

void require_variant(const Claim& claim, const std::string& name, const std::vector<std::string>& variants) {
  if (std::find(variants.begin(), variants.end(), name) != variants.end()) return;
  user_error("claim '{}': the report has no row '{}'{}", claim.text, name, did_you_mean(name, variants));
}

Scores scores_of(const Claim& claim, const std::string& variant, const std::vector<ReportRow>& rows) {
  Scores scores;
  std::set<std::string> sections;
  for (const ReportRow& row : rows) {
    if (row.variant != variant) continue;
    sections.insert(row.section);
    scores[row.seed] = claim.best ? row.best : row.last;
  }
  if (sections.size() > 1)
    user_error("claim '{}': row '{}' stands in {} sections; give each variant a name of its own", claim.text, variant, sections.size());
  return scores;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Sample deviation.
double deviation_of(const std::vector<double>& values, double mean) {
  double sum = 0;
  for (double value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

/// Deviation of the difference of two numbers that are rounded to multiples of `resolution`.
double rounding(double resolution) { return resolution / std::sqrt(6.0); }

std::array<double, 2> student_interval(const std::vector<double>& differences, double level, double resolution) {
  const auto n = static_cast<double>(differences.size());
  const double mean = mean_of(differences), deviation = std::max(deviation_of(differences, mean), rounding(resolution));
  const double quantile = boost::math::quantile(boost::math::students_t(n - 1), 0.5 + level / 2);
  const double half = quantile * deviation / std::sqrt(n);
  return {mean - half, mean + half};
}

/// Whether the whole interval lies above, or below, a bound.
JudgedClaim::Verdict above(const std::array<double, 2>& interval, double bound) {
  if (interval[0] > bound) return JudgedClaim::Verdict::supported;
  return interval[1] < bound ? JudgedClaim::Verdict::contradicted : JudgedClaim::Verdict::open;
}

JudgedClaim::Verdict verdict_of(const Claim& claim, const std::array<double, 2>& interval) {
  using enum JudgedClaim::Verdict;
  if (claim.kind == Claim::Kind::better) return above(interval, claim.margin);
  if (claim.kind == Claim::Kind::not_worse) return above(interval, -claim.margin);
  if (interval[0] > -claim.margin && interval[1] < claim.margin) return supported;
  return interval[0] > claim.margin || interval[1] < -claim.margin ? contradicted : open;
}

/// Scores of two rows, pair by pair.
struct Pairs {
  std::vector<double> ours, theirs;
};

/// By the seeds that both rows have. @throws Error(user)
Pairs pairs_of(const Claim& claim, const std::vector<ReportRow>& rows) {
  std::vector<std::string> variants;
  for (const ReportRow& row : rows) variants.push_back(row.variant);
  require_variants(claim, variants);
  const Scores of_row = scores_of(claim, claim.row, rows), of_than = scores_of(claim, claim.than, rows);
  Pairs pairs;
  for (const auto& [seed, score] : of_row) {
    const auto other = of_than.find(seed);
    if (other == of_than.end()) continue;
    pairs.ours.push_back(score);
    pairs.theirs.push_back(other->second);
  }
  if (pairs.ours.empty()) user_error("claim '{}': rows '{}' and '{}' share no seed", claim.text, claim.row, claim.than);
  return pairs;
}

}  // namespace

void require_variants(const Claim& claim, const std::vector<std::string>& variants) {
  if (!claim.row_scores.empty()) return;
  require_variant(claim, claim.row, variants);
  require_variant(claim, claim.than, variants);
}

JudgedClaim judge(const Claim& claim, const std::vector<ReportRow>& rows, const std::string& metric, double resolution) {
  const Pairs pairs = claim.row_scores.empty() ? pairs_of(claim, rows) : Pairs{claim.row_scores, claim.than_scores};
  const double sign = !claim.row_scores.empty() || higher_is_better(metric) ? 1 : -1;
  std::vector<double> differences;
  for (size_t i = 0; i < pairs.ours.size(); ++i) differences.push_back(sign * (pairs.ours[i] - pairs.theirs[i]));
  JudgedClaim judged{.verdict = JudgedClaim::Verdict::open, .claim = claim, .interval = {}};
  judged.n = static_cast<int64_t>(differences.size());
  judged.row_mean = mean_of(pairs.ours);
  judged.than_mean = mean_of(pairs.theirs);
  judged.difference = mean_of(differences);
  if (judged.n < 2 || !std::isfinite(judged.difference)) return judged;
  judged.interval = student_interval(differences, claim.level, claim.row_scores.empty() ? resolution : 0);
  if (claim.moot.empty()) judged.verdict = verdict_of(claim, *judged.interval);
  return judged;
}

namespace report {

std::string claim_sentence(const Claim& claim) {
  std::string text = one_line(claim.text);
  while (text.ends_with('.')) text.pop_back();
  return claim.source.empty() ? text : fmt::format("{} ({})", text, one_line(claim.source));
}

namespace {

std::string singular(const std::string& plural) { return plural.ends_with('s') ? plural.substr(0, plural.size() - 1) : plural; }

/// The interval of the difference, or why there is none.
std::string interval_of(const JudgedClaim& judged) {
  const Claim& claim = judged.claim;
  const std::string pairs = fmt::format("{} {}", judged.n, judged.n == 1 ? singular(claim.over) : claim.over);
  if (judged.interval)
    return fmt::format("{:.0f} % interval {:+.3f} to {:+.3f} over {}", 100 * claim.level, (*judged.interval)[0], (*judged.interval)[1],
                       pairs);
  if (!std::isfinite(judged.difference)) return fmt::format("a score over {} is not a finite number, so no interval", pairs);
  return fmt::format("{}, no interval", pairs);
}

}  // namespace

std::string claim_numbers(const JudgedClaim& judged) {
  const Claim& claim = judged.claim;
  const std::string bound = claim.kind == Claim::Kind::better      ? fmt::format("above {:.3f}", claim.margin)
                            : claim.kind == Claim::Kind::not_worse ? fmt::format("above {:.3f}", -claim.margin)
                                                                   : fmt::format("within ±{:.3f}", claim.margin);
  return fmt::format("{} {:.3f}, {} {:.3f}: {:+.3f}, {}; claimed: {}{}", one_line(claim.row), judged.row_mean, one_line(claim.than),
                     judged.than_mean, judged.difference, interval_of(judged), bound,
                     claim.moot.empty() ? "" : "; decides nothing: " + one_line(claim.moot));
}

std::string section_title(const Claim& claim) { return claim.section.empty() ? "other claims" : one_line(claim.section); }

bool begins_section(const std::vector<JudgedClaim>& claims, size_t at) {
  return claims[at].claim.section != (at == 0 ? "" : claims[at - 1].claim.section);
}

}  // namespace report

std::string claims_as_text(const std::vector<JudgedClaim>& claims) {
  std::string out;
  for (size_t i = 0; i < claims.size(); ++i) {
    const Claim& claim = claims[i].claim;
    if (report::begins_section(claims, i)) out += fmt::format("{}{}:\n", i == 0 ? "" : "\n", report::section_title(claim));
    out += fmt::format("{}: {}. {}.\n", report::verdict_word(claims[i]), report::claim_sentence(claim), report::claim_numbers(claims[i]));
  }
  return out.empty() ? out : out + "\n";
}

std::string claims_as_markdown(const std::vector<JudgedClaim>& claims) {
  std::string out;
  for (size_t i = 0; i < claims.size(); ++i) {
    const Claim& claim = claims[i].claim;
    if (report::begins_section(claims, i))
      out += fmt::format("{}**{}**\n\n", i == 0 ? "" : "\n", report::escape_markdown(report::section_title(claim)));
    out += fmt::format("- **{}**: {}. {}.\n", report::verdict_word(claims[i]), report::escape_markdown(report::claim_sentence(claim)),
                       report::escape_markdown(report::claim_numbers(claims[i])));
  }
  return out.empty() ? out : out + "\n";
}

}  // namespace tsrun
