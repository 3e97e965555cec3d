#include "tsrun/base/stage_count.h"

namespace tsrun {

void StageCount::take(const News& news) {
  if (news.kind == News::Kind::planned) {
    whole_ = true;
    return;
  }
  Stage& stage = stages_.try_emplace(news.key, Stage{news.stage, news.work}).first->second;
  const bool stored = news.outcome == "in the store" || news.outcome == "read";
  const bool ended = stored || news.outcome == "computed" || news.outcome == "diverged";
  if (stage.done || !ended) return;
  stage.done = true;
  ++done_;
  if (news.outcome == "diverged") return;  // early, so it tells no speed
  Speed& speed = (stored ? stored_ : here_)[stage.kind];
  speed.seconds += news.seconds;
  speed.work += stage.work;
  ++speed.stages;
}

StageCount::Speeds StageCount::speeds_of(const std::map<std::string, Running>& running) const {
  Speeds speeds;
  for (const auto& [key, now] : running) {
    const auto stage = stages_.find(key);
    if (stage == stages_.end() || now.share <= 0) continue;
    Speed& speed = speeds[stage->second.kind];
    speed.seconds += now.seconds;
    speed.work += now.share * stage->second.work;
    speed.stages += now.share;
  }
  return speeds;
}

std::optional<double> StageCount::seconds_of(const Stage& stage, const Speeds& running) const {
  const Speeds* known[] = {&here_, &running, &stored_};
  for (const Speeds* speeds : known) {
    const auto found = speeds->find(stage.kind);
    if (found != speeds->end() && found->second.work > 0) return found->second.seconds / found->second.work * stage.work;
  }
  for (const Speeds* speeds : known) {
    Speed all;
    for (const auto& [kind, speed] : *speeds) all.seconds += speed.seconds, all.stages += speed.stages;
    if (all.stages > 0) return all.seconds / all.stages;
  }
  return std::nullopt;
}

std::optional<double> StageCount::seconds_left(const std::map<std::string, Running>& running) const {
  const Speeds now = speeds_of(running);
  double seconds = 0;
  for (const auto& [key, stage] : stages_) {
    if (stage.done) continue;
    const auto whole = seconds_of(stage, now);
    if (!whole) return std::nullopt;
    const auto at = running.find(key);
    seconds += *whole * (at == running.end() ? 1 : 1 - at->second.share);
  }
  return seconds;
}

}  // namespace tsrun
