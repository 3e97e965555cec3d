#include "method.h"

#include "prefix.h"
#include "tsrun/base/error.h"

namespace tsrun::prefix {
namespace {

using nlohmann::json;

/// The stack's layers and width of keys, from the site map.
std::optional<Stack> stack_of(const Family& family, Part part, const std::string& name) {
  Stack stack{name, -1, 0, 0};
  for (const Site& site : family.sites()) {
    if (site.kind != SiteKind::key || site.stack != part) continue;
    if (stack.first_layer < 0) stack.first_layer = site.layer;
    ++stack.layers;
    stack.width = site.width;
  }
  return stack.layers > 0 ? std::optional(stack) : std::nullopt;
}

std::vector<Stack> stacks_of(const Family& family, const std::string& where) {
  const bool two = family.reader() == Reader::encoder_decoder;
  if (!two && where != "both")
    user_error("prefix: stacks is '{}', but a model of type '{}' has only one stack; expected both", where, family.model_type());
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
       .doc = "Keys and values in front of a row.",
       .minimum = 1,
       .maximum = 4096},
      {.name = "stacks",
       .type = OptionType::choice,
       .fallback = "both",
       .doc = "Of an encoder-decoder: which stacks get a prefix (PEFT reaches the decoder only).",
       .choices = {"both", "encoder", "decoder"}},
      {.name = "prefix_projection",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "Make the prefix by a two-layer network (tanh) from smaller vectors, as the paper trains it."},
      {.name = "encoder_hidden_size",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "Width inside that network; 0: the model's hidden size.",
       .minimum = 0},
      {.name = "init_std",
       .type = OptionType::number,
       .fallback = 1.0,
       .doc = "Standard deviation of the first vectors (PEFT: 1).",
       .minimum = 0},
  };
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  Projection projection;
  if (options.flag("prefix_projection")) {
    projection.inputs = family.hidden_size();
    projection.hidden = options.integer("encoder_hidden_size") > 0 ? options.integer("encoder_hidden_size") : family.hidden_size();
  }
  return std::make_unique<Prefix>(stacks_of(family, options.text("stacks")), options.integer("num_virtual_tokens"), projection,
                                  options.number("init_std"));
}

json Method::to_peft(const Options& options) const {
  return {{"peft_type", "PREFIX_TUNING"}, {"num_virtual_tokens", options.integer("num_virtual_tokens")}, {"prefix_projection", false}};
}

json Method::from_peft(const json& config) const { return {{"num_virtual_tokens", config.at("num_virtual_tokens")}}; }

}  // namespace tsrun::prefix
