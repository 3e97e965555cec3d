#pragma once

#include "model/bert_config.h"
#include "tsrun/model/family.h"

#include <string>
#include <vector>

namespace tsrun {

/// Names of BERT's modules as transformers spells them.
std::string bert_layer(int64_t layer);  ///< "bert.encoder.layer.3."

/// All parameters in module order: embeddings, layers, pooler (none for masked LM), head.
std::vector<ParameterInfo> bert_parameters(const BertConfig& config, const HeadSpec& head);

/// The site map: the embeddings, then eight sites a layer in the order of the forward pass.
std::vector<Site> bert_sites(const BertConfig& config);

}  // namespace tsrun
