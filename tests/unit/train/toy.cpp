#include "unit/train/toy.h"

#include "tsrun/base/files.h"
#include "tsrun/base/parallel.h"

#include <cstdlib>

namespace tsrun::toy {
namespace {

const std::vector<std::string> kPraise = {"good", "great", "fine", "lovely"};
const std::vector<std::string> kBlame = {"bad", "awful", "poor", "dull"};
const std::vector<std::string> kFiller = {"the", "film", "was", "a", "plot", "day", "and", "so"};

std::shared_ptr<const Tokenizer> tokenizer() {
  std::vector<std::string> vocabulary = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  for (const auto* words : {&kPraise, &kBlame, &kFiller}) vocabulary.insert(vocabulary.end(), words->begin(), words->end());
  return make_wordpiece(vocabulary);
}

Split make_split(const std::string& name, int64_t rows, Stream draw) {
  Split split;
  split.name = name;
  split.digest = name + std::to_string(rows);
  split.majority_score = 0.5;
  for (int64_t row = 0; row < rows; ++row) {
    const bool praise = row % 2 == 1;
    const auto& words = praise ? kPraise : kBlame;
    const uint64_t length = 2 + draw.below(6), place = draw.below(length);
    std::string text;
    for (uint64_t i = 0; i < length; ++i)
      text += (i == place ? words[draw.below(words.size())] : kFiller[draw.below(kFiller.size())]) + " ";
    split.examples.push_back({text, std::nullopt, praise ? 1.0 : 0.0, row});
  }
  return split;
}

}  // namespace

Task sentiment(int64_t train_rows, int64_t dev_rows) {
  Task task;
  task.name = "toy";
  task.labels = {"blame", "praise"};
  task.metrics = {"accuracy", "matthews"};
  task.splits["train"] = make_split("train", train_rows, Stream(Key::root(7).split("train")));
  task.splits["dev"] = make_split("dev", dev_rows, Stream(Key::root(7).split("dev")));
  task.digest = "toy";
  return task;
}

Model tiny_bert(const HeadSpec& head, double dropout) {
  set_threads(1);  // two threads would only wait for each other over tensors this small
  const auto words = tokenizer();
  const nlohmann::json config = {{"model_type", "bert"},
                                 {"vocab_size", words->vocabulary_size()},
                                 {"hidden_size", 16},
                                 {"num_hidden_layers", 2},
                                 {"num_attention_heads", 2},
                                 {"intermediate_size", 32},
                                 {"hidden_act", "gelu"},
                                 {"hidden_dropout_prob", dropout},
                                 {"attention_probs_dropout_prob", dropout},
                                 {"max_position_embeddings", 32},
                                 {"type_vocab_size", 2},
                                 {"initializer_range", 0.2},
                                 {"layer_norm_eps", 1e-12},
                                 {"pad_token_id", 0}};
  return initialise_model(config, head, words, Key::root(3));
}

TrainJob job(const Model& model, const Task& task, const nlohmann::json& options, const std::filesystem::path& work, uint64_t seed) {
  TrainJob job;
  job.model = &model;
  job.task = &task;
  job.options = train_options().resolve(options, "test");
  job.tune.lr = job.tune.lr_embeddings = job.tune.lr_head = 5e-3;
  job.key = Key::root(seed);
  job.work = work;
  job.title = "toy";
  return job;
}

std::string bytes_of(const std::filesystem::path& file) { return read_text(file); }

Scratch::Scratch() {
  std::string pattern = (std::filesystem::temp_directory_path() / "tsrun-train-XXXXXX").string();
  path_ = ::mkdtemp(pattern.data());
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace tsrun::toy
