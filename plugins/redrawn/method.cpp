#include "method.h"

#include "random_basis.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/suggest.h"
#include "tsrun/model/parts.h"
#include "tsrun/tune/fastfood_projection.h"

#include <algorithm>

namespace tsrun::redrawn {
namespace {

/// The end of the compartment that begins with slice `first`.
size_t compartment_end(const std::vector<Slice>& slices, size_t first, const std::string& compartments) {
  if (compartments == "tensor") return first + 1;
  size_t end = first;
  while (end < slices.size() && (compartments == "whole" || layer_of_name(slices[end].name) == layer_of_name(slices[first].name))) ++end;
  return end;
}

class Redrawn final : public Regularizer {
 public:
  Redrawn(Key key, const Options& options)
      : key_(key),
        every_(options.integer("every")),
        parts_(options.texts("parts")),
        compartments_(options.text("compartments")),
        shape_{options.integer("dim"), options.text("length") == "exact", options.flag("rescale")} {
    for (const std::string& part : parts_) parse_part(part, "redrawn: parts");
  }

  void after_backward(Step& step) override {
    const Key drawn = key_.split(static_cast<uint64_t>(step.number / every_));
    bool any = false;
    for (Block& block : step.blocks) {
      if (!taken(block)) continue;
      any = true;
      const at::Tensor host = block.gradient.cpu();
      const Kept kept = project_onto_random(cut(block, host, drawn.split(block.name)), shape_);
      if (!block.gradient.is_cpu()) block.gradient.copy_(host);
      before_ += kept.before;
      after_ += kept.after;
    }
    if (!any) user_error("redrawn: trains none of the parts {{{}}} in the full space; expected others in 'parts'", join_words(parts_));
  }

  nlohmann::json report() const override {
    return {{"dim", shape_.dim}, {"every", every_}, {"kept_share", before_ > 0 ? after_ / before_ : 0}};
  }
  PluginState state() const override { return {{"squares", at::tensor({before_, after_}, at::kDouble)}}; }
  void restore(const PluginState& state) override {
    const at::Tensor& squares = state.at("squares");
    before_ = squares[0].item<double>();
    after_ = squares[1].item<double>();
  }

 private:
  bool taken(const Block& block) const {
    return !block.composed && std::any_of(parts_.begin(), parts_.end(), [&](const std::string& part) {
      return block.name == part || block.name == part + "_entries";  // of a compact scope
    });
  }

  std::vector<Compartment> cut(const Block& block, const at::Tensor& gradient, Key key) const {
    const auto& slices = block.layout->slices();
    std::vector<Compartment> compartments;
    for (size_t first = 0; first < slices.size();) {
      const size_t end = compartment_end(slices, first, compartments_);
      const int64_t begin = slices[first].offset, size = slices[end - 1].offset + slices[end - 1].size - begin;
      compartments.push_back({{gradient.data_ptr<float>() + begin, static_cast<size_t>(size)}, key.split(slices[first].name)});
      first = end;
    }
    return compartments;
  }

  Key key_;
  int64_t every_;
  std::vector<std::string> parts_;
  std::string compartments_;
  BasisShape shape_;
  double before_ = 0, after_ = 0;  ///< squared lengths of the gradients so far, and of their projections
};

}  // namespace

OptionTable Method::options() const {
  return {{.name = "dim", .type = OptionType::integer, .fallback = 250, .doc = "Directions of each compartment.", .minimum = 1},
          {.name = "every", .type = OptionType::integer, .fallback = 1, .doc = "Steps with one basis.", .minimum = 1, .unit = "steps"},
          {.name = "compartments",
           .type = OptionType::choice,
           .fallback = "whole",
           .doc = "Parameters with directions of their own: each tensor, each layer, or a whole part of the model.",
           .choices = {"tensor", "layer", "whole"}},
          {.name = "parts",
           .type = OptionType::list,
           .fallback = nlohmann::json::array({"encoder", "decoder"}),
           .doc = "Parts of the model whose gradients are projected; the others are trained as they are."},
          {.name = "length",
           .type = OptionType::choice,
           .fallback = "expected",
           .doc = "Directions are divided by the root of their number of entries (the release), or by their length.",
           .choices = {"expected", "exact"}},
          {.name = "rescale",
           .type = OptionType::boolean,
           .fallback = false,
           .doc = "Multiply the projection by parameters / dim, which makes it right on average."}};
}

Wants Method::wants(const Options& options) const {
  const auto parts = options.texts("parts");
  return {.whole_vocabulary = std::find(parts.begin(), parts.end(), "embeddings") != parts.end()};
}

std::unique_ptr<Regularizer> Method::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<Redrawn>(inputs.key.split("basis"), options);
}

}  // namespace tsrun::redrawn
