#pragma once

#include "tsrun/base/options.h"
#include "tsrun/model/model.h"

#include <filesystem>
#include <string>
#include <vector>

namespace tsrun {

/// Language modelling for the model's head: masked (Devlin et al., 2019: of the chosen tokens 80 % [MASK], 10 % random, 10 % kept), causal,
/// or span corruption (Raffel et al., 2020: mean span 3). Masks are drawn anew every epoch. Lines with a tab are pairs.
OptionTable pretrain_options();  ///< steps, batch_size, lr, weight_decay, max_length, warmup_ratio, masking
struct PretrainJob {
  Model start;
  std::vector<std::string> lines;  ///< at least 20; the last of them are held out
  Options options;                 ///< resolved against `pretrain_options()`
  Key key = Key::root(0);
  at::Device device = at::kCPU;
  std::string title;                ///< for the progress display
  std::filesystem::path work = {};  ///< checkpoints for resume; empty: none
  int64_t checkpoint_every = 0;     ///< steps; 0: by the clock
};
struct PretrainResult {
  Model model;
  std::vector<double> losses;                       ///< per logged interval
  double held_out_loss = 0, held_out_accuracy = 0;  ///< on masked tokens of lines never trained on
};
/// Goes on from the newest checkpoint in `work`, bit for bit. @throws Diverged on a non-finite loss; Error(interrupt) after a checkpoint.
PretrainResult pretrain(PretrainJob job);

/// `builtin:bert-mini`, `builtin:gpt-mini`, `builtin:t5-mini`: pre-trained here on the generated language. `names` lists what exists.
const std::vector<std::string>& builtin_model_names();
std::shared_ptr<const Family> builtin_family(const std::string& name);  ///< of such a model without a head
/// `work` as in PretrainJob.
Model pretrain_builtin(const std::string& name, const std::filesystem::path& work = {}, nlohmann::json* quality = nullptr);
/// Changes whenever the weights of `name` would; part of stage keys.
std::string_view builtin_model_version(const std::string& name);

}  // namespace tsrun
