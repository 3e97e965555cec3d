#include "tsrun/base/news.h"

#include <nlohmann/json.hpp>

namespace tsrun {
namespace {

using nlohmann::json;

constexpr size_t kLongestLine = 4096, kLongestText = 900;

void cut(std::string& text) {
  if (text.size() > kLongestText) text.resize(kLongestText);
}

json as_json(const News& news) {
  return {{"news", static_cast<int>(news.kind)},
          {"id", news.id},
          {"title", news.title},
          {"unit", news.unit},
          {"note", news.note},
          {"total", news.total},
          {"done", news.done},
          {"failed", news.failed},
          {"seconds", news.seconds},
          {"level", news.level},
          {"key", news.key},
          {"stage", news.stage},
          {"outcome", news.outcome},
          {"work", news.work}};
}

}  // namespace

std::string to_line(News news) {
  std::string line = as_json(news).dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  if (line.size() <= kLongestLine) return line;
  for (std::string* text : {&news.title, &news.unit, &news.note}) cut(*text);
  line = as_json(news).dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  return line.size() <= kLongestLine ? line : std::string();
}

std::optional<News> news_from(std::string_view line) {
  const json value = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!value.is_object() || !value.contains("news")) return std::nullopt;
  try {
    News news;
    news.kind = static_cast<News::Kind>(value.at("news").get<int>());
    value.at("id").get_to(news.id);
    value.at("title").get_to(news.title);
    value.at("unit").get_to(news.unit);
    value.at("note").get_to(news.note);
    value.at("total").get_to(news.total);
    value.at("done").get_to(news.done);
    value.at("failed").get_to(news.failed);
    value.at("seconds").get_to(news.seconds);
    value.at("level").get_to(news.level);
    value.at("key").get_to(news.key);
    value.at("stage").get_to(news.stage);
    value.at("outcome").get_to(news.outcome);
    value.at("work").get_to(news.work);
    return news;
  } catch (const json::exception&) {  // a plugin that writes to standard output
    return std::nullopt;
  }
}

}  // namespace tsrun
