#include "report/claims.h"
#include "report/json_number.h"

#include "tsrun/base/error.h"
#include "tsrun/report/report.h"

#include <array>
#include <utility>

/// Judged claims as run.json keeps them.
namespace tsrun {

namespace {

using nlohmann::json;
using report::number_from;

constexpr std::array claim_kinds = {std::pair{"better", Claim::Kind::better}, std::pair{"not_worse", Claim::Kind::not_worse},
                                    std::pair{"no_different", Claim::Kind::no_different}};
constexpr std::array verdicts = {std::pair{"supported", JudgedClaim::Verdict::supported},
                                 std::pair{"contradicted", JudgedClaim::Verdict::contradicted},
                                 std::pair{"open", JudgedClaim::Verdict::open}};

/// @throws Error(data)
template <class Names>
auto value_named(const Names& names, const std::string& name) {
  for (const auto& [known, value] : names)
    if (name == known) return value;
  data_error("claims of a run: unknown word '{}'", name);
}

template <class Names, class Value>
const char* word_of(const Names& names, Value wanted) {
  for (const auto& [name, value] : names)
    if (value == wanted) return name;
  internal_error("a claim without a word");
}

Claim claim_from(const json& line) {
  Claim claim;
  claim.kind = value_named(claim_kinds, line.at("kind"));
  claim.text = line.at("text");
  claim.source = line.at("source");
  claim.row = line.at("row");
  claim.than = line.at("than");
  claim.margin = line.at("by");
  claim.best = line.at("score") == "best";
  claim.level = line.at("level");
  claim.over = line.at("over");
  claim.section = line.value("section", "");
  claim.moot = line.value("moot", "");
  return claim;
}

JudgedClaim judged_from(const json& line) {
  JudgedClaim judged{.verdict = value_named(verdicts, line.at("verdict")), .claim = claim_from(line), .interval = {}};
  judged.n = line.at("n");
  judged.row_mean = number_from(line.at("row_mean"));
  judged.than_mean = number_from(line.at("than_mean"));
  judged.difference = number_from(line.at("difference"));
  if (const auto interval = line.find("interval"); interval != line.end()) judged.interval = interval->get<std::array<double, 2>>();
  return judged;
}

}  // namespace

std::string report::verdict_word(const JudgedClaim& judged) { return word_of(verdicts, judged.verdict); }

nlohmann::json claims_as_json(const std::vector<JudgedClaim>& claims) {
  auto list = json::array();
  for (const JudgedClaim& judged : claims) {
    const Claim& claim = judged.claim;
    list.push_back({{"verdict", report::verdict_word(judged)},
                    {"text", claim.text},
                    {"source", claim.source},
                    {"kind", word_of(claim_kinds, claim.kind)},
                    {"row", claim.row},
                    {"than", claim.than},
                    {"by", claim.margin},
                    {"score", claim.best ? "best" : "last"},
                    {"level", claim.level},
                    {"over", claim.over},
                    {"n", judged.n},
                    {"row_mean", judged.row_mean},
                    {"than_mean", judged.than_mean},
                    {"difference", judged.difference}});
    if (judged.interval) list.back()["interval"] = *judged.interval;
    if (!claim.section.empty()) list.back()["section"] = claim.section;
    if (!claim.moot.empty()) list.back()["moot"] = claim.moot;
  }
  return list;
}

std::vector<JudgedClaim> claims_from_json(const nlohmann::json& json) {
  std::vector<JudgedClaim> claims;
  try {
    for (const auto& line : json) claims.push_back(judged_from(line));
  } catch (const nlohmann::json::exception& error) {
    data_error("claims of a run: {}", error.what());
  }
  return claims;
}

}  // namespace tsrun
