#include "data/lines.h"
#include "data/readers.h"
#include "tsrun/data/words.h"

namespace tsrun::data {
namespace {

/// Collects documents that hold more than white space.
class DocumentList {
 public:
  void add(std::string_view text) {
    if (stripped(text).empty()) return;
    Example& example = examples_.emplace_back();
    example.first = text;
    example.row = static_cast<int64_t>(examples_.size()) - 1;
  }
  std::vector<Example> take() { return std::move(examples_); }

 private:
  std::vector<Example> examples_;
};

void cut_at_blank_lines(std::string_view text, const std::string& name, DocumentList& documents) {
  std::string document;
  each_line(text, name, [&](std::string_view line, int64_t) {
    if (!stripped(line).empty()) {
      document.append(document.empty() ? "" : "\n").append(line);
      return;
    }
    documents.add(document);
    document.clear();
  });
  documents.add(document);
}

void cut_at_separators(std::string_view text, std::string_view separator, DocumentList& documents) {
  for (bool first = true; true; first = false) {
    const size_t end = text.find(separator);
    std::string_view part = text.substr(0, end);
    if (!first && part.starts_with("\r\n")) part.remove_prefix(1);
    if (!first && part.starts_with('\n')) part.remove_prefix(1);
    if (end != std::string_view::npos && part.ends_with('\n')) part.remove_suffix(part.ends_with("\r\n") ? 2 : 1);
    documents.add(part);
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + separator.size());
  }
}

}  // namespace

std::vector<Example> read_documents(std::string_view text, std::string_view cut, std::string_view separator, const std::string& name) {
  DocumentList documents;
  if (cut == "file") documents.add(text);
  if (cut == "line") each_line(text, name, [&](std::string_view line, int64_t) { documents.add(line); });
  if (cut == "blank_line") cut_at_blank_lines(text, name, documents);
  if (cut == "separator") cut_at_separators(text, separator, documents);
  std::vector<Example> examples = documents.take();
  if (examples.empty()) error_at(name, 1, "found only white space, expected documents");
  return examples;
}

}  // namespace tsrun::data
