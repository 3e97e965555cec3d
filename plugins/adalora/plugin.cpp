#include "tsrun/plugin/plugin.h"

#include "method.h"
#include "rank_budget.h"

TSRUN_PLUGIN(registry) {
  registry.add(std::make_unique<tsrun::adalora::Method>());
  registry.add(std::make_unique<tsrun::adalora::RankBudgetMethod>());
}
