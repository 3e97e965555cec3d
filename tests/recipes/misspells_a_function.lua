-- expect-exit: 2
-- expect-error: misspells_a_function.lua:4: ts: unknown name 'tarin' (did you mean 'train'?)
local ts = require "ts"
ts.tarin { epochs = 1 }
