#include "tsrun/data/task.h"
#include "unit/data/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Lines of a task.toml; the kind is the second.
std::string description(const std::string& kind, const std::string& lines) {
  return "name = 't'\nkind = '" + kind + "'\nsplits.train = 'train'\n" + lines;
}
Task parsed(const std::string& kind, const std::string& lines) { return parse_task(description(kind, lines), "t"); }
std::string refusal(const std::string& kind, const std::string& lines) {
  return failure([&] { parsed(kind, lines); });
}

TEST(ParseKinds, ReadsTextToText) {
  const Task task = parsed(
      "text_to_text", "text = 'q'\nlabel = ['a', 'b']\nprompt = 'question: {q}'\nanswer_prefix = '<extra_id_0>'\nmetrics = ['rouge_l']");
  EXPECT_EQ(task.kind, TaskKind::text_to_text);
  EXPECT_EQ(task.answer_prefix, "<extra_id_0>");
  EXPECT_THAT(task.columns, ElementsAre("prompt"));
  EXPECT_EQ(task.outputs(), 0);
}

TEST(ParseKinds, NamesTheLineAndNearMiss_OfAPromptsColumn) {
  EXPECT_EQ(refusal("text_to_text", "text = ['question']\nlabel = 'a'\nmetrics = ['accuracy']\nprompt = 'q: {qestion}'"),
            "t:7: in prompt: found the column 'qestion' (did you mean 'question'?), expected one of question");
  EXPECT_THAT(refusal("text_to_text", "text = ['q']\nlabel = 'a'\nmetrics = ['accuracy']\nprompt = '{'"),
              HasSubstr("t:7: in prompt: found a '{'"));
}

TEST(ParseKinds, WantsNoColumns_OfCrossfitLines) {
  EXPECT_EQ(parsed("text_to_text", "metrics = ['exact_match']\nformat.type = 'crossfit'").kind, TaskKind::text_to_text);
  EXPECT_EQ(refusal("text_to_text", "text = 'q'\nmetrics = ['exact_match']\nformat.type = 'crossfit'"),
            "t:4: found 'text', expected none (type = \"crossfit\" has no columns)");
  EXPECT_THAT(refusal("text_to_text", "metrics = ['exact_match']\nformat = {type = 'crossfit', header = true}"),
              HasSubstr("found 'header', expected none"));
  EXPECT_THAT(refusal("classification", "text = 'q'\nlabel = 'l'\nlabels = ['a', 'b']\nmetrics = ['f1']\nformat.type = 'crossfit'"),
              HasSubstr("found type = 'crossfit', expected one of tsv, csv and jsonl"));
}

TEST(ParseKinds, ReadsMultipleChoice) {
  const Task task =
      parsed("multiple_choice", "text = ['q']\noptions = ['a', 'b']\nlabels = ['A', 'B']\nlabel = 'l'\nmetrics = ['accuracy']");
  EXPECT_EQ(task.kind, TaskKind::multiple_choice);
  EXPECT_THAT(task.labels, ElementsAre("A", "B"));
  EXPECT_EQ(task.outputs(), 0);
}

TEST(ParseKinds, RefusesOptions_ThatAreNone) {
  const std::string rest = "text = 'q'\nlabel = 'l'\nmetrics = ['accuracy']\n";
  EXPECT_THAT(refusal("multiple_choice", rest), HasSubstr("t:1: found no 'options', expected"));
  EXPECT_THAT(refusal("multiple_choice", rest + "options = ['a']"),
              HasSubstr("t:7: found options = 1 column, expected a list of two or more"));
  EXPECT_THAT(refusal("multiple_choice", rest + "options = 'a'"), HasSubstr("t:7: found options = 1 column, expected"));
  EXPECT_THAT(refusal("multiple_choice", rest + "options = []"), HasSubstr("t:7: found options = [], expected"));
  EXPECT_THAT(refusal("multiple_choice", rest + "options = ['a', 'l']"), HasSubstr("'l', which is the label column"));
  EXPECT_THAT(refusal("multiple_choice", rest + "options = ['a', 'b']\nlabels = ['A', 'B', 'C']"),
              HasSubstr("t:8: found labels = 3 names, expected 2"));
}

TEST(ParseKinds, ReadsTokenClassification) {
  const Task task = parsed("token_classification", "labels = ['O', 'B-X']\nmetrics = ['entity_f1']\nformat.type = 'conll'");
  EXPECT_EQ(task.outputs(), 2);
  EXPECT_THAT(refusal("token_classification", "text = ['a', 'b']\nlabel = 'l'\nlabels = ['O']\nmetrics = ['accuracy']"),
              HasSubstr("t:4: found text = 2 columns, expected one column, of the words"));
  EXPECT_THAT(refusal("token_classification", "text = 'a'\nlabel = 'l'\nlabels = ['O']\nmetrics = ['f1']"),
              HasSubstr("expected a list of accuracy, entity_f1 and macro_f1 for a token_classification"));
}

TEST(ParseKinds, ReadsLanguageModelling) {
  const Task plain = parsed("language_modelling", "");
  EXPECT_THAT(plain.metrics, ElementsAre("perplexity", "byte_perplexity"));
  EXPECT_FALSE(plain.objective.has_value());
  EXPECT_EQ(parsed("language_modelling", "documents = 'line'\nobjective = 'masked'").objective, Objective::masked);
  EXPECT_THAT(parsed("language_modelling", "separator = '<|endoftext|>'\nmetrics = ['bits_per_byte']").metrics,
              ElementsAre("bits_per_byte"));
}

TEST(ParseKinds, RefusesDocuments_CutTwice) {
  EXPECT_EQ(refusal("language_modelling", "documents = 'line'\nseparator = '|'"),
            "t:4: found 'documents', expected none (a separator is given)");
  EXPECT_EQ(refusal("language_modelling", "documents = 'lines'"),
            "t:4: found documents = 'lines' (did you mean 'line'?), expected one of file, line and blank_line");
  EXPECT_EQ(refusal("language_modelling", "separator = ''"), "t:4: found separator = \"\", expected a text between documents");
  EXPECT_EQ(refusal("language_modelling", "objective = 'maskd'"),
            "t:4: found objective = 'maskd' (did you mean 'masked'?), expected one of causal and masked");
}

TEST(ParseKinds, RefusesKeys_ThatBelongToOtherKinds) {
  EXPECT_THAT(refusal("language_modelling", "labels = ['a', 'b']"),
              StartsWith("t:4: found the unknown key 'labels', expected one of name, kind, documents"));
  EXPECT_THAT(refusal("language_modelling", "format.type = 'tsv'"), StartsWith("t:4: found the unknown key 'format'"));
  EXPECT_THAT(refusal("text_to_text", "options = ['a', 'b']"), StartsWith("t:4: found the unknown key 'options'"));
  EXPECT_THAT(refusal("classification", "prompt = 'x'"), StartsWith("t:4: found the unknown key 'prompt'"));
  EXPECT_THAT(refusal("token_classification", "verbaliser.prompt = 'x'"), StartsWith("t:4: found the unknown key 'verbaliser'"));
}

const std::string kPairs = "text = ['p', 'h']\nlabel = 'l'\nlabels = ['a', 'b']\nmetrics = ['f1']\n";

TEST(ParseKinds, ReadsAVerbaliser) {
  const Task task = parsed("classification", kPairs + "[verbaliser]\nprompt = '{p} / {h}'\nanswers = ['yes', 'no']");
  EXPECT_EQ(task.verbaliser->prompt, "{p} / {h}");
  EXPECT_THAT(task.verbaliser->answers, ElementsAre("yes", "no"));
  const Task number = parsed("regression", "text = 'p'\nlabel = 'l'\nrange = [0, 5]\nmetrics = ['pearson']\nverbaliser = {prompt = '{p}'}");
  EXPECT_TRUE(number.verbaliser->answers.empty());
  const Task choice =
      parsed("multiple_choice",
             "text = ['p', 'h']\noptions = ['a', 'b']\nlabel = 'l'\nmetrics = ['accuracy']\nverbaliser = {prompt = '{prompt} {options}'}");
  EXPECT_TRUE(choice.verbaliser->answers.empty());
}

TEST(ParseKinds, RefusesAVerbaliser_ThatFitsNoLabels) {
  EXPECT_EQ(refusal("classification", kPairs + "[verbaliser]\nprompt = '{p}'\nanswers = ['yes']"),
            "t:10: found answers = 1 texts, expected 2, one a label");
  EXPECT_THAT(refusal("classification", kPairs + "[verbaliser]\nprompt = '{p}'\nanswers = ['yes', 'yes']"),
              HasSubstr("t:10: found answers = 'yes' twice"));
  EXPECT_THAT(refusal("classification", kPairs + "[verbaliser]\nprompt = '{q}'\nanswers = ['yes', 'no']"),
              HasSubstr("t:9: in prompt: found the column 'q'"));
  EXPECT_THAT(refusal("classification", kPairs + "[verbaliser]\nanswers = ['yes', 'no']"), HasSubstr("found no 'prompt'"));
  EXPECT_THAT(refusal("classification", kPairs + "[verbaliser]\nprompt = '{p}'\nanswer = ['yes', 'no']"),
              HasSubstr("(did you mean 'answers'?)"));
  EXPECT_THAT(refusal("regression",
                      "text = 'p'\nlabel = 'l'\nrange = [0, 5]\nmetrics = ['pearson']\nverbaliser = {prompt = '{p}', answers = ['1']}"),
              HasSubstr("found 'answers', expected none (a regression's answers are numbers)"));
}

}  // namespace
}  // namespace tsrun
