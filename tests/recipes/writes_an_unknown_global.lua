-- expect-exit: 2
-- expect-error: writes_an_unknown_global.lua:4: 'epochs' is not declared; write 'local epochs'
local ts = require "ts"
epochs = 3
