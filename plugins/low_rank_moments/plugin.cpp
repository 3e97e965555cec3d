#include "tsrun/plugin/plugin.h"

#include "apollo.h"
#include "galore.h"

TSRUN_PLUGIN(registry) {
  registry.add(std::make_unique<tsrun::low_rank_moments::GaloreMethod>());
  registry.add(std::make_unique<tsrun::low_rank_moments::ApolloMethod>());
}
