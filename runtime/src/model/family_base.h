#pragma once

#include "tsrun/model/family.h"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace tsrun::model {

/// Facts that every family has.
struct FamilyFacts {
  std::string model_type;
  nlohmann::json config;
  HeadSpec head;
  int64_t layers = 0, hidden = 0, positions = 0;
  std::vector<ParameterInfo> parameters;
  std::vector<Site> sites;
};

class FamilyBase : public Family {
 public:
  explicit FamilyBase(FamilyFacts facts) : facts_(std::move(facts)) {}
  std::string_view model_type() const override { return facts_.model_type; }
  const nlohmann::json& config() const override { return facts_.config; }
  int layers() const override { return static_cast<int>(facts_.layers); }
  int64_t hidden_size() const override { return facts_.hidden; }
  const HeadSpec& head() const override { return facts_.head; }
  int64_t max_positions() const override { return facts_.positions; }
  const std::vector<ParameterInfo>& parameters() const override { return facts_.parameters; }
  const std::vector<Site>& sites() const override { return facts_.sites; }

 protected:
  const FamilyFacts facts_;
};

/// @throws Error(internal) unless the head's number of outputs fits its kind
void check_head(const HeadSpec& head, const std::string& where);

}  // namespace tsrun::model
