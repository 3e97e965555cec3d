-- expect-error: misspells_an_option_of_a_search.lua:4: intrinsic_dimension: unknown option 'methods' (did you mean 'method'?)
-- expect-exit: 2
local ts = require "ts"
ts.intrinsic_dimension { methods = "random_projection" }
