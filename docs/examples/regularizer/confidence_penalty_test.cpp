#include <tsrun/plugin_testing/step_plugins.h>

// Sets of options under which the conformance suite tries the method; its main is in the library.
const bool added = tsrun::plugin_testing::add_regularizer_case("confidence_penalty", {{"beta", 0.5}});
