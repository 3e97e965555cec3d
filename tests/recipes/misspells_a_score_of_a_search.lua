-- expect-error: misspells_a_score_of_a_search.lua:4: intrinsic_dimension: option 'score' is 'lst', expected one of last, best (did you mean 'last'?)
-- expect-exit: 2
local ts = require "ts"
ts.intrinsic_dimension { model = {}, task = {}, method = "fastfood", score = "lst" }
