#include "text/post_processor.h"

#include "text/json_fields.h"
#include "text/normal_steps.h"
#include "tsrun/base/error.h"

#include <algorithm>

namespace tsrun::text {
namespace {

using Json = nlohmann::json;
using Source = RowTemplate::Source;

/// Reads one post_processor.
class RowReader {
 public:
  RowReader(int64_t tokens, const std::string& where) : tokens_(tokens), where_(where) {
    rows_.single = {{Source::first, 0, 0}};
    rows_.pair = {{Source::first, 0, 0}, {Source::second, 0, 1}};
  }

  void read(const Json& json) {
    if (json.is_null()) return;
    const std::string type = text_field(json, "type", where_ + ": post_processor").value_or("");
    if (type == "ByteLevel") return expect_keys(json, {"add_prefix_space", "trim_offsets", "use_regex"}, "post_processor " + type, where_);
    if (type == "Sequence") return read_sequence(json);
    if (std::exchange(made_, true)) data_error("{}: post_processor has two parts that make rows, which is not supported", where_);
    if (type == "TemplateProcessing") return read_template(json);
    if (type == "BertProcessing") return read_bert(json);
    if (type == "RobertaProcessing") return read_roberta(json);
    data_error(
        "{}: post_processor is of type '{}', which is not supported; supported are Sequence, TemplateProcessing, BertProcessing, "
        "RobertaProcessing and ByteLevel",
        where_, type);
  }

  RowTemplate take() { return std::move(rows_); }

 private:
  void read_sequence(const Json& json) {
    expect_keys(json, {"processors"}, "post_processor Sequence", where_);
    const Json parts = json.value("processors", Json());
    if (!parts.is_array()) data_error("{}: post_processor Sequence has no processors, expected an array", where_);
    for (const Json& part : parts) read(part);
  }

  /// `[token, id]`.
  int64_t token_id(const Json& json, const char* key) const {
    const Json pair = json.value(key, Json());
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_number_integer())
      data_error("{}: post_processor.{} is malformed, expected [token, id]", where_, key);
    return checked(pair[1].get<int64_t>(), pair[0].get<std::string>());
  }

  int64_t checked(int64_t id, const std::string& token) const {
    if (id < 0 || id >= tokens_) data_error("{}: post_processor gives '{}' id {}, expected one below {}", where_, token, id, tokens_);
    return id;
  }

  void read_bert(const Json& json) {
    expect_keys(json, {"sep", "cls"}, "post_processor BertProcessing", where_);
    rows_ = RowTemplate::bert(token_id(json, "cls"), token_id(json, "sep"));
  }

  void read_roberta(const Json& json) {
    expect_keys(json, {"sep", "cls", "trim_offsets", "add_prefix_space"}, "post_processor RobertaProcessing", where_);
    const int64_t classifier = token_id(json, "cls"), separator = token_id(json, "sep");
    rows_.single = {{Source::special, classifier, 0}, {Source::first, 0, 0}, {Source::special, separator, 0}};
    rows_.pair = rows_.single;
    for (const RowTemplate::Piece& piece : {RowTemplate::Piece{Source::special, separator, 0}, RowTemplate::Piece{Source::second, 0, 0},
                                            RowTemplate::Piece{Source::special, separator, 0}})
      rows_.pair.push_back(piece);
  }

  void read_template(const Json& json) {
    expect_keys(json, {"single", "pair", "special_tokens"}, "post_processor TemplateProcessing", where_);
    const Json specials = json.value("special_tokens", Json::object());
    rows_.single = pieces(json.value("single", Json()), specials, "single");
    rows_.pair = pieces(json.value("pair", Json()), specials, "pair");
    expect_texts(rows_.single, 1, 0, "single");
    expect_texts(rows_.pair, 1, 1, "pair");
  }

  std::vector<RowTemplate::Piece> pieces(const Json& row, const Json& specials, const char* name) const {
    std::vector<RowTemplate::Piece> pieces;
    try {
      if (!row.is_array()) throw std::invalid_argument("no array");
      for (const Json& part : row) {
        if (const auto text = part.find("Sequence"); text != part.end()) {
          const bool first = text->at("id").get<std::string>() == "A";
          pieces.push_back({first ? Source::first : Source::second, 0, text->at("type_id").get<int64_t>()});
          continue;
        }
        const Json& token = part.at("SpecialToken");
        const auto content = token.at("id").get<std::string>();
        for (const Json& id : specials.at(content).at("ids"))
          pieces.push_back({Source::special, checked(id.get<int64_t>(), content), token.at("type_id").get<int64_t>()});
      }
    } catch (const Error&) {
      throw;
    } catch (const std::exception&) {
      data_error("{}: post_processor.{} is malformed, expected special tokens with ids, and texts", where_, name);
    }
    return pieces;
  }

  void expect_texts(const std::vector<RowTemplate::Piece>& pieces, int64_t first, int64_t second, const char* name) const {
    const auto count = [&](Source source) {
      return std::count_if(pieces.begin(), pieces.end(), [source](const RowTemplate::Piece& piece) { return piece.source == source; });
    };
    if (count(Source::first) != first || count(Source::second) != second)
      data_error("{}: post_processor.{} has text A {} times and B {} times, expected {} and {}", where_, name, count(Source::first),
                 count(Source::second), first, second);
  }

  int64_t tokens_;
  const std::string& where_;
  bool made_ = false;
  RowTemplate rows_;
};

}  // namespace

RowTemplate rows_of(const Json& post_processor, int64_t tokens, const std::string& where) {
  RowReader reader(tokens, where);
  reader.read(post_processor);
  return reader.take();
}

}  // namespace tsrun::text
