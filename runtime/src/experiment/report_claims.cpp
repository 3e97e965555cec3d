#include "experiment/report_claims.h"

#include "tsrun/base/error.h"
#include "tsrun/base/options.h"

namespace tsrun::experiment {

namespace {

using nlohmann::json;

OptionTable claim_options() {
  return {
      {.name = "text", .type = OptionType::text, .doc = "the claim, a sentence", .required = true},
      {.name = "source", .type = OptionType::text, .fallback = "", .doc = "where it is claimed"},
      {.name = "section", .type = OptionType::text, .fallback = "", .doc = "heading of the claims that follow one another with it"},
      {.name = "moot", .type = OptionType::text, .fallback = "", .doc = "why no numbers can decide the claim, which is open then"},
      {.name = "better", .type = OptionType::text, .doc = "row that is better than the other by more than `by`"},
      {.name = "not_worse", .type = OptionType::text, .doc = "or row that is worse than the other by less than `by`"},
      {.name = "no_different", .type = OptionType::text, .doc = "or row that differs from the other by less than `by`"},
      {.name = "than", .type = OptionType::text, .doc = "the other row", .required = true},
      {.name = "row_scores",
       .type = OptionType::list,
       .doc = "with than_scores: numbers in place of the report's rows, more is better, the i-th of one paired with the i-th of the other"},
      {.name = "than_scores", .type = OptionType::list, .doc = "the other's numbers"},
      {.name = "over", .type = OptionType::text, .fallback = "seeds", .doc = "what the pairs are, in the plural"},
      {.name = "by", .type = OptionType::number, .fallback = 0.0, .doc = "margin, in the score's own unit", .minimum = 0},
      {.name = "score", .type = OptionType::choice, .fallback = "last", .doc = "score of the rows", .choices = {"last", "best"}},
      {.name = "level", .type = OptionType::number, .fallback = 0.95, .doc = "of the interval", .minimum = 0.5, .maximum = 0.999},
  };
}

/// Scores that the recipe paired by itself. @throws Error(user)
void take_scores(const Options& o, const std::string& where, Claim& claim) {
  claim.over = o.text("over");
  if (o.has("row_scores") != o.has("than_scores")) user_error("{}: expected 'row_scores' and 'than_scores', or neither", where);
  if (!o.has("row_scores")) return;
  for (const auto& [name, scores] : {std::pair{"row_scores", &claim.row_scores}, std::pair{"than_scores", &claim.than_scores}}) {
    for (const json& score : o.value(name)) {
      if (!score.is_number()) user_error("{}: option '{}' has {}, expected numbers", where, name, score.dump());
      scores->push_back(score.get<double>());
    }
  }
  if (claim.row_scores.empty() || claim.row_scores.size() != claim.than_scores.size())
    user_error("{}: {} and {} scores, expected pairs", where, claim.row_scores.size(), claim.than_scores.size());
}

Claim claim_of(const json& given) {
  const std::string where = fmt::format("claim '{}'", given.is_object() ? given.value("text", "") : "");
  const Options o = claim_options().resolve(given, where);
  Claim claim{.text = o.text("text"),
              .source = o.text("source"),
              .row = {},
              .than = o.text("than"),
              .margin = o.number("by"),
              .best = o.text("score") == "best",
              .level = o.number("level"),
              .section = o.text("section"),
              .moot = o.text("moot")};
  int kinds = 0;
  for (const auto& [name, kind] : {std::pair{"better", Claim::Kind::better}, std::pair{"not_worse", Claim::Kind::not_worse},
                                   std::pair{"no_different", Claim::Kind::no_different}}) {
    if (!o.has(name)) continue;
    ++kinds;
    claim.kind = kind;
    claim.row = o.text(name);
  }
  if (kinds != 1) user_error("{}: {} of 'better', 'not_worse' and 'no_different' are given, expected one", where, kinds);
  if (claim.kind != Claim::Kind::better && claim.margin == 0)
    user_error("{}: option 'by' is missing: expected a margin above 0, for no data shows that two rows are equal", where);
  take_scores(o, where, claim);
  return claim;
}

}  // namespace

std::vector<Claim> claims_of(const json& given, const json& rows) {
  std::vector<std::string> variants;
  for (const json& row : rows)
    if (row.is_object() && row.contains("variant")) variants.push_back(row.value("variant", ""));
  std::vector<Claim> claims;
  for (const json& one : given) {
    claims.push_back(claim_of(one));
    require_variants(claims.back(), variants);
  }
  return claims;
}

std::vector<JudgedClaim> judged(const std::vector<Claim>& claims, const std::vector<ReportedRow>& rows, const TableHead& head) {
  std::vector<ReportRow> scores;
  int64_t split_rows = 0;
  for (const ReportedRow& row : rows) {
    scores.push_back(row.row);
    if (const auto found = row.split_rows.find(head.split); found != row.split_rows.end()) split_rows = found->second;
  }
  std::vector<JudgedClaim> all;
  for (const Claim& claim : claims)
    all.push_back(judge(claim, scores, head.metric, split_rows > 0 ? 1 / static_cast<double>(split_rows) : 0));
  return all;
}

}  // namespace tsrun::experiment
