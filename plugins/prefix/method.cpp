#include "method.h"

#include "prefix.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/model.h"

namespace tsrun::prefix {
namespace {

using nlohmann::json;

const char* const peft_tensor = "prompt_embeddings";

/// Heads of keys, which only a model's configuration says.
int64_t key_heads(const Family& family) {
  for (const char* name : {"num_key_value_heads", "num_attention_heads", "num_heads", "n_head", "n_heads"}) {
    const auto found = family.config().find(name);
    if (found != family.config().end() && found->is_number_integer()) return found->get<int64_t>();
  }
  user_error("prefix: layout release needs the number of heads, which a config.json of type '{}' lacks", family.model_type());
}

/// The stack's layers and width of keys, from the site map.
std::optional<Stack> stack_of(const Family& family, Part part, const std::string& name) {
  Stack stack{name, -1, 0, 0, 0};
  for (const Site& site : family.sites()) {
    if (site.kind != SiteKind::key || site.stack != part) continue;
    if (stack.first_layer < 0) stack.first_layer = site.layer;
    ++stack.layers;
    stack.width = site.width;
  }
  return stack.layers > 0 ? std::optional(stack) : std::nullopt;
}

std::vector<Stack> stacks_of(const Family& family, const std::string& where) {
  const bool two = family.model_kind() == ModelKind::encoder_decoder;
  if (!two && where != "both")
    user_error("prefix: stacks is '{}', but a model of type '{}' has only one stack; expected both", where, family.model_type());
  if (!stack_of(family, Part::encoder, ""))
    user_error("prefix: a model of type '{}' has no attention, whose keys and values a prefix could stand in front of",
               family.model_type());
  std::vector<Stack> stacks;
  if (where != "decoder") stacks.push_back(*stack_of(family, Part::encoder, two ? "encoder." : ""));
  if (two && where != "encoder") stacks.push_back(*stack_of(family, Part::decoder, "decoder."));
  return stacks;
}

}  // namespace

OptionTable Method::options() const {
  return {
      {.name = "num_virtual_tokens",
       .type = OptionType::integer,
       .fallback = 20,
       .doc = "Length of the prefix.",
       .minimum = 1,
       .maximum = 4096},
      {.name = "stacks",
       .type = OptionType::choice,
       .fallback = "both",
       .doc = "Stacks of an encoder-decoder with a prefix (PEFT: the decoder only).",
       .choices = {"both", "encoder", "decoder"}},
      {.name = "prefix_projection",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "Reparameterise the prefix by a two-layer network (tanh), as in the paper."},
      {.name = "encoder_hidden_size",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "Hidden size of that network; 0: the model's.",
       .minimum = 0},
      {.name = "projection_bias", .type = OptionType::boolean, .fallback = true, .doc = "That network's two layers have a bias."},
      {.name = "layout",
       .type = OptionType::choice,
       .fallback = "li-liang",
       .doc = "Order of the table: a row has a token's keys and values of all layers (li-liang), or the whole memory is read as layers, "
              "key and value, heads, tokens (release, as the unified-subspace paper's code).",
       .choices = {"li-liang", "release"}},
      {.name = "init_std",
       .type = OptionType::number,
       .fallback = 1.0,
       .doc = "Standard deviation of the initialisation (PEFT: 1; the unified-subspace paper's code: 0.02).",
       .minimum = 0},
  };
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  Projection projection;
  if (options.flag("prefix_projection")) {
    projection.inputs = family.hidden_size();
    projection.hidden = options.integer("encoder_hidden_size") > 0 ? options.integer("encoder_hidden_size") : family.hidden_size();
    projection.biases = options.flag("projection_bias");
  }
  auto stacks = stacks_of(family, options.text("stacks"));
  const auto layout = options.text("layout") == "release" ? PrefixLayout::release : PrefixLayout::li_liang;
  if (layout == PrefixLayout::release)
    for (Stack& stack : stacks) stack.heads = key_heads(family);
  return std::make_unique<Prefix>(std::move(stacks), options.integer("num_virtual_tokens"), projection, layout, options.number("init_std"));
}

std::optional<PeftType> Method::peft_type() const {
  return PeftType{.name = "PREFIX_TUNING",
                  .honoured = {"num_virtual_tokens"},
                  .idle = {"token_dim", "num_transformer_submodules", "num_attention_heads", "num_layers", "init_weights",
                           "encoder_hidden_size", "prefix_projection"}};
}

PeftTensor Method::tensor_from_peft(PeftTensor tensor, const Delta& /*delta*/, const Family& family) const {
  if (tensor.name == peft_tensor && family.model_kind() == ModelKind::encoder_decoder)
    user_error(
        "a prefix of an encoder-decoder, which PEFT puts in front of the decoder alone, two layers' places apart; the paper's, in front of "
        "both stacks, cannot be made of it");
  return tensor;
}

/// The keys and values that the prefix has, or that its network makes: all that PEFT keeps of one.
PeftFolder Method::to_peft(const Delta& delta, const Options& options, const Model& model) const {
  if (model.family->model_kind() == ModelKind::encoder_decoder)
    user_error(
        "export: PEFT puts a prefix in front of an encoder-decoder's decoder alone, and gives layer i the place of layer 2i; the paper's, "
        "in front of both stacks, cannot be said in its folder");
  ForwardOptions forward;
  delta.install(model.weights, forward);
  std::vector<at::Tensor> columns;
  for (int layer = 0; layer < model.family->layers(); ++layer) {
    const auto pair = forward.attention_prefix.front()(layer);
    columns.push_back(pair->first), columns.push_back(pair->second);
  }
  return {.config = {{"peft_type", "PREFIX_TUNING"},
                     {"num_virtual_tokens", options.integer("num_virtual_tokens")},
                     {"prefix_projection", false},
                     {"num_layers", model.family->layers()},
                     {"token_dim", columns.front().size(1)}},
          .tensors = {{peft_tensor, at::cat(columns, 1)}},
          .prompt_learning = true};
}

json Method::options_from_peft(const nlohmann::ordered_json& config) const {
  const json tokens = config.value("num_virtual_tokens", nlohmann::ordered_json());
  if (tokens.is_null()) user_error("prefix: num_virtual_tokens is missing, expected the number of vectors in front of a row");
  return {{"num_virtual_tokens", tokens}};
}

}  // namespace tsrun::prefix
