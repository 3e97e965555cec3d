#include "experiment/artifacts.h"
#include "experiment/identity.h"
#include "experiment/stored.h"
#include "experiment/summaries.h"
#include "tsrun/base/error.h"
#include "tsrun/checkpoint/folder.h"
#include "tsrun/data/builtin.h"
#include "tsrun/experiment/lab.h"
#include "tsrun/model/architecture.h"

/// The operation `architecture`: a model with fresh weights.
namespace tsrun {

using nlohmann::json;

namespace experiment {
namespace {

OptionTable options_of_architecture() {
  OptionTable table = {
      {.name = "family", .type = OptionType::choice, .doc = "model_type", .required = true, .choices = architecture_names()},
      {.name = "tokenizer",
       .type = OptionType::table,
       .doc = "from ts.tokenizer.train; or the folder, hf:<repo id> or builtin:<name> of a model whose tokenizer is taken",
       .required = true,
       .choices = {"text"}},
      {.name = "seed", .type = OptionType::integer, .fallback = 1, .doc = "of the weights", .minimum = 0},
  };
  return table.include(architecture_options());
}

/// Where a model's tokenizer comes from.
struct TokenizerChoice {
  json identity;  ///< for keys
  TokenizerFacts facts;
  std::function<std::shared_ptr<const Tokenizer>(Lab& lab)> load;
};

TokenizerChoice trained_tokenizer(const json& handle) {
  if (handle.value("artifact", "") != "tokenizer")
    user_error("architecture: option 'tokenizer' is {}, expected what ts.tokenizer.train returned, or a model's folder",
               handle.contains("artifact") ? "an artifact of kind " + handle["artifact"].dump() : "a table");
  const auto ref = TokenizerRef::from_json(handle);
  return {ref.identity(), ref.tokens, [ref](Lab& lab) { return std::shared_ptr<const Tokenizer>(load_tokenizer(folder_of(lab, ref))); }};
}

TokenizerChoice tokenizer_of_model(const std::string& specification) {
  const std::string prefix = "builtin:";
  json identity;
  std::shared_ptr<const Tokenizer> tokenizer;
  if (specification.starts_with(prefix)) {
    tokenizer = make_builtin_tokenizer(specification.substr(prefix.size()));
    identity = {{"builtin", specification.substr(prefix.size())}, {"language", builtin_version()}};
  } else {
    const auto folder = resolve_model_folder(specification);
    tokenizer = load_tokenizer(folder);
    for (const auto& file : tokenizer_files(folder)) identity[file.filename().string()] = file_digest(file);
  }
  return {identity, facts_of(*tokenizer), [tokenizer](Lab&) { return tokenizer; }};
}

struct ArchitectureRequest {
  std::string family;
  TokenizerChoice tokenizer;
  int64_t seed = 1;
  json shape;   ///< config.json without what the tokenizer decides, which is the tokenizer's key
  json config;  ///< config.json

  static ArchitectureRequest from(const Options& o);
  StageKey key() const { return {"model", {{"config", shape}, {"tokenizer", tokenizer.identity}, {"seed", seed}}}; }
};

ArchitectureRequest ArchitectureRequest::from(const Options& o) {
  const json& named = o.value("tokenizer");
  ArchitectureRequest request{.family = o.text("family"),
                              .tokenizer = named.is_string() ? tokenizer_of_model(named.get<std::string>()) : trained_tokenizer(named),
                              .seed = o.integer("seed"),
                              .shape = {},
                              .config = {}};
  json sizes = o.json();
  for (const char* name : {"family", "tokenizer", "seed"}) sizes.erase(name);
  request.shape = architecture_config(request.family, Options(sizes));
  request.config = complete_config(request.shape, request.tokenizer.facts);
  return request;
}

/// The head that a model is pre-trained with.
HeadSpec head_of_language_model(const json& config) {
  const ModelKind kind = make_family(config, HeadSpec{}, "architecture")->model_kind();
  if (kind == ModelKind::encoder) return {HeadKind::masked_lm, 0};
  return {kind == ModelKind::causal ? HeadKind::causal_lm : HeadKind::seq2seq_lm, 0};
}

json summary_of(const ArchitectureRequest& request) {
  json summary = describe_family(*make_family(request.config, head_of_language_model(request.config), "architecture"));
  summary["vocabulary_size"] = request.config.at("vocab_size");
  return summary;
}

json initialise_into(Lab& lab, const ArchitectureRequest& request, const std::filesystem::path& out) {
  const Key key = Key::root(static_cast<uint64_t>(request.seed)).split("architecture");
  save_model(initialise_model(request.config, head_of_language_model(request.config), request.tokenizer.load(lab), key), out);
  return summary_of(request);
}

json run_architecture(Lab& lab, const Options& o) {
  const ArchitectureRequest request = ArchitectureRequest::from(o);
  const std::string what = "fresh " + request.family;
  auto model = ref_to<ModelRef>(lab.stage(request.key(), lab.title_of(what, request.seed), summary_of(request),
                                          [&](const auto& out, const auto&) { return initialise_into(lab, request, out); }));
  if (!model.planned) model.path = folder_of(lab, model).string();
  model.spec = what;  // a table may hold several seeds
  model.defaults = {.lr = 1e-3, .lr_head = 1e-3, .epochs = 8};
  return model.to_json();
}

OptionTable fields_of_family(Lab&, const json& arguments) {
  const json family = arguments.value("family", json());
  const std::vector<std::string> known = architecture_names();
  const bool is_known = family.is_string() && std::find(known.begin(), known.end(), family.get<std::string>()) != known.end();
  return is_known ? architecture_fields(family.get<std::string>(), arguments) : OptionTable();
}

}  // namespace

}  // namespace experiment

std::vector<Operation> architecture_operations() {
  return {{.name = "architecture",
           .doc = "A model with fresh weights: sizes by the names below, or fields of the family's config.json by their own.",
           .options = experiment::options_of_architecture(),
           .result = "model",
           .run = experiment::run_architecture,
           .more = experiment::fields_of_family,
           .on_device = false,
           .named = true}};
}

}  // namespace tsrun
