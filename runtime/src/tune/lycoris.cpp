#include "tsrun/tune/lycoris.h"

#include "tsrun/base/unread.h"

namespace tsrun {

OptionTable LycorisMethod::options() const {
  const bool optional = rescaling_ == Rescaling::optional;
  OptionTable table = weight_update_options("Adapted linear layers");
  table.include(rank_options(8, 8));
  table.add(
      {.name = "rank_dropout",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = std::string("Share of the update's rows that a training pass leaves out") + (optional ? "." : "; the others are scaled up."),
       .minimum = 0,
       .maximum = 0.99});
  if (optional)
    table.add(
        {.name = "rank_dropout_scale", .type = OptionType::boolean, .fallback = false, .doc = "The rows that are left are scaled up."});
  table.add({.name = "module_dropout",
             .type = OptionType::number,
             .fallback = 0.0,
             .doc = "Probability with which a training pass leaves out a layer's whole update.",
             .minimum = 0,
             .maximum = 0.99});
  return table.include(own_options());
}

std::unique_ptr<Delta> LycorisMethod::attach(const Family& family, const Options& options) const {
  if (rescaling_ == Rescaling::optional && options.number("rank_dropout") == 0)
    refuse_unread(options, this->options(), {"rank_dropout_scale"}, name(), "no rows are left out (rank_dropout)");
  const std::vector<Target> targets = find_targets(family, options, name());
  return with_other_parameters(update(targets, family, options), family, options, targets, name());
}

std::optional<PeftType> LycorisMethod::peft_type() const { return exchange_.peft_type({}, {"use_effective_conv2d"}); }

nlohmann::json LycorisMethod::options_from_peft(const nlohmann::ordered_json& config) const {
  nlohmann::json options = exchange_.options_from_peft(config);
  if (options.value("rank_dropout", nlohmann::json(0)) == 0) options.erase("rank_dropout_scale");
  return options;
}

PeftFolder LycorisMethod::to_peft(const Delta& delta, const Options& options, const Model& model) const {
  return exchange_.to_peft(delta, options, model);
}

UpdateDropout lycoris_dropout(const Options& options) {
  const bool always = !options.has("rank_dropout_scale");
  return {.rows = options.number("rank_dropout"),
          .rescaled_rows = always || options.flag("rank_dropout_scale"),
          .modules = options.number("module_dropout")};
}

}  // namespace tsrun
