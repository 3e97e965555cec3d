#include <tsrun/plugin_testing/delta.h>
// Sets of options under which the conformance suite tries the method; its main is in the library.
const bool added = tsrun::plugin_testing::add_delta_case("ssf", nlohmann::json::object()) &&
                   tsrun::plugin_testing::add_delta_case("ssf", {{"shift", false}, {"target_modules", {"all-linear"}}});
