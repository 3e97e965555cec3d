#include "builtin_language.h"
#include "tsrun/data/builtin.h"

namespace tsrun {
namespace {

using namespace data::builtin;

/// Two sentences and the word between them: "also" (same topic, same polarity), "but" (same topic, the other polarity), "meanwhile"
/// (another topic).
std::string related_pair(Speaker& speaker) {
  const Meaning first{speaker.below(kTopics), speaker.below(2)};
  Meaning second = first;
  const int relation = speaker.below(3);
  if (relation == 1) second.polarity = 1 - first.polarity;
  if (relation == 2) second = {speaker.other(first.topic, kTopics), speaker.below(2)};
  constexpr std::array<std::string_view, 3> joints = {"also", "but", "meanwhile"};
  return say(speaker, first) + "\t" + std::string(joints[static_cast<size_t>(relation)]) + " " + say(speaker, second);
}

std::string corpus_line(Speaker& speaker) {
  if (speaker.chance(0.25)) {
    const Exchange exchange = ask(speaker, speaker.below(kTopics), /*spoiled=*/false);
    return exchange.question + "\t" + exchange.answer;
  }
  return related_pair(speaker);
}

}  // namespace

std::vector<std::string> make_builtin_corpus(int64_t sentences, uint64_t seed) {
  const Key key = Key::root(seed).split("builtin corpus");
  std::vector<std::string> lines;
  for (int64_t i = 0; i < sentences; ++i) {
    Speaker speaker(key.split(static_cast<uint64_t>(i)), Words::all);
    lines.push_back(corpus_line(speaker));
  }
  return lines;
}

}  // namespace tsrun
