-- Representation degeneration (Gao et al., ICLR 2019; Zhang et al., Findings of EMNLP 2020): language models from fresh weights whose word
-- embeddings are left alone, or kept apart by cosine regularisation, by a Laplacian over several graphs with either sign, by the second
-- moment, by spectrum control, by gated gradients or by isotropy. What each does to perplexity, to the geometry of the embeddings, and to
-- generated text; with tied and untied output embeddings; and on the same text without an order of words, or without their frequencies.
local ts = require "ts"
local lib = require "lib"

local arg = ts.arguments {
  task = { default = "builtin:stories", doc = "task of language modelling" },
  family = { default = "gpt2", doc = "model_type of ts.architecture" },
  layers = { default = 2, min = 1, doc = "layers of the model" },
  hidden = { default = 64, min = 1, doc = "width of its embeddings" },
  heads = { default = 4, min = 1, doc = "attention heads; not read for awd_lstm" },
  inner = { default = 0, min = 0, doc = "awd_lstm: width of the layers but the last; 0: twice the embeddings" },
  dropout = { default = 0.1, min = 0, max = 0.9, doc = "of every site" },
  tokenizer = { default = "words", doc = "words, or byte_bpe" },
  vocabulary = { default = 0, min = 0, doc = "most tokens; 0: every word, or 8000 of byte_bpe" },
  line_end = { default = false, doc = "words: a line's end is the end token" },
  block = { default = 64, min = 2, doc = "tokens of a row" },
  lr = { default = 3e-3, min = 0, doc = "learning rate" },
  epochs = { default = 10, min = 1, doc = "of every training" },
  batch = { default = 16, min = 1, doc = "rows of a step" },
  rows = { default = 320, min = 0, doc = "rows to train on; 0: all" },
  gamma = { default = 1.0, min = 0, doc = "weight of every regulariser" },
  norm = { default = 0.4, min = 0, doc = "mean norm of the words' vectors that spectrum control prescribes" },
  neighbours = { default = 10, min = 1, doc = "of a word in the graphs" },
  methods = { default = { "all" }, doc = "methods of the first section by their names in the table" },
  few = { default = { "none", "cosine" }, doc = "methods of the sections behind the first; empty: none of these" },
  seeds = { default = 2, min = 1, doc = "number of seeds" },
  texts = { default = 64, min = 1, doc = "texts that each model writes" },
  text_length = { default = 48, min = 5, doc = "tokens of each" },
  test_split = { default = "test", doc = "split that perplexity is told on beside dev" },
  quick = { default = false, doc = "one seed, few rows and methods" },
}
if arg.quick then
  arg.seeds, arg.rows, arg.epochs, arg.texts = 1, 96, 3, 16
  if arg.methods[1] == "all" then arg.methods = { "none", "cosine", "pull ppmi", "push ppmi", "second moment", "spectrum control" } end
end
local seeds = ts.seeds(arg.seeds)

local function text(words) return ts.task { spec = arg.task, words = words } end
local written = text "as_written"
local tokens = ts.tokenizer.train {
  task = written, kind = arg.tokenizer, vocabulary_size = arg.vocabulary > 0 and arg.vocabulary or nil,
  line_end = arg.tokenizer == "words" and arg.line_end or nil,
}
local function fresh(tied, seed)
  local sizes = { tokenizer = tokens, layers = arg.layers, hidden = arg.hidden, dropout = arg.dropout, tied = tied, seed = seed }
  if arg.family == "awd_lstm" then
    sizes.embedding_size, sizes.hidden = arg.hidden, arg.inner > 0 and arg.inner or 2 * arg.hidden
  else
    sizes.heads, sizes.positions = arg.heads, arg.block
  end
  return ts.architecture(arg.family, sizes)
end

-- Methods: name; terms() of the loss; adapt(model), where it trains other parameters than the model's.
local function term(method, options)
  return function() return { ts.regularizer(method, lib.with({ gamma = arg.gamma }, options)) } end
end
local function laplacian(sign, graph)
  local known = { sign = sign, graph = graph }
  if graph ~= "frequency" then known.neighbours = arg.neighbours end
  return term("laplacian", known)
end
local all = {
  { name = "none" },
  { name = "cosine", terms = term "cosine" },
  { name = "pull nearest", terms = laplacian("pull", "knn_current") },
  { name = "push nearest", terms = laplacian("push", "knn_current") },
  { name = "pull ppmi", terms = laplacian("pull", "ppmi") },
  { name = "push ppmi", terms = laplacian("push", "ppmi") },
  { name = "pull frequency", terms = laplacian("pull", "frequency") },
  { name = "push frequency", terms = laplacian("push", "frequency") },
  { name = "second moment", terms = term "second_moment" },
  {
    name = "spectrum control", terms = term("spectrum_control", { scale = arg.norm * math.sqrt(tokens.vocabulary_size / arg.hidden) }),
    adapt = function(model) return ts.adapt(model, { method = "spectrum_factors" }) end,
  },
  { name = "isotropy", terms = term "isotropy" },
  { name = "gated gradients", terms = function() return { ts.regularizer("adaptive_gradient_gating", {}) } end },
}
local by_name, names = {}, {}
for i, method in ipairs(all) do by_name[method.name], names[i] = method, method.name end
local function chosen(list, what)
  return lib.map(list, function(name)
    local known = table.concat(names, "; ")
    return by_name[name] or error(("degeneration: %s: no method '%s'; expected some of: %s"):format(what, name, known), 0)
  end)
end
local methods, few = chosen(arg.methods[1] == "all" and names or arg.methods, "methods"), chosen(arg.few, "few")

-- A model on a text: { method, task, tied }.
local function train(at, seed)
  local model = fresh(at.tied, seed)
  return ts.train {
    name = at.title, model = at.method.adapt and at.method.adapt(model) or model, task = at.task, seed = seed,
    train = at.method.adapt and { "delta", "embeddings", "encoder", "head" } or nil,
    regularize = at.method.terms and at.method.terms() or nil,
    max_length = arg.block, blocks = "joined", rows = arg.rows, batch_size = arg.batch, lr = arg.lr, epochs = arg.epochs,
    warmup_ratio = 0.1, weight_decay = 0.01, max_grad_norm = 1.0, keep = "last",
    geometry_every = 20, geometry_of = "output_embeddings",
  }
end
local function point(method, section, options)
  return lib.with({ method = method, section = section, title = method.name .. options.suffix, task = written, tied = true }, options)
end
local points = lib.map(methods, function(method) return point(method, "tied", { suffix = "" }) end)
local others = {
  { "untied", { suffix = ", untied", tied = false } },
  { "no order of words", { suffix = ", shuffled", task = text "shuffled" } },
  { "every word as frequent", { suffix = ", uniform", task = text "uniform" } },
}
for _, other in ipairs(others) do
  for _, method in ipairs(few) do points[#points + 1] = point(method, other[1], other[2]) end
end
local function tested(at, seed)
  return ts.evaluate {
    name = "test " .. at.title, solution = train(at, seed), split = arg.test_split, max_length = arg.block, blocks = "joined",
  }
end
local function geometry(at, seed)
  return ts.geometry {
    name = "geometry of " .. at.title, solution = train(at, seed), of = "output_embeddings", task = at.task, max_length = arg.block,
  }
end
local function texts(at, seed)
  return ts.generate {
    name = "texts of " .. at.title, solution = train(at, seed), texts = arg.texts, max_new_tokens = arg.text_length,
    min_new_tokens = arg.text_length, do_sample = true, seed = seed,
  }
end
ts.sweep({ point = points, seed = seeds }, function(at)
  train(at.point, at.seed)
  tested(at.point, at.seed)
  geometry(at.point, at.seed)
  texts(at.point, at.seed)
end)

local report = ts.report("Do word embeddings degenerate, and what keeps them apart", { model = fresh(true, seeds[1]), task = written })
for _, at in ipairs(points) do
  for _, seed in ipairs(seeds) do report:row(at.title, train(at, seed), at.section) end
end
local function over_seeds(read) return lib.map(seeds, read) end
local function columns(at, fields)
  return lib.join({ at.title }, lib.map(fields, function(field)
    return over_seeds(function(seed) return field(at, seed) end)
  end))
end
local function of_all(read)
  return function(at, seed) return read(geometry(at, seed)) end
end
-- Of the most frequent words, and of the rarest that occur.
local function frequent(found)
  local words = (found.buckets or {})[1]  -- a plan has none
  return words and words.mean_cosine or 0
end
local function rare(found)
  local cosine = 0
  for _, words in ipairs(found.buckets or {}) do cosine = words.occurrences > 0 and words.mean_cosine or cosine end
  return cosine
end
report:table("Geometry of the output embeddings", {
  columns = {
    "model", "mean cosine", "frequent words", "rare words", "cosine, centred", "I1", "I2", "effective rank", "rank, centred", "top 10 (%)",
    "dimension",
  },
  rows = lib.map(points, function(at)
    return columns(at, {
      of_all(function(found) return found.mean_cosine end),
      of_all(frequent),
      of_all(rare),
      of_all(function(found) return found.centred.mean_cosine end),
      of_all(function(found) return found.i1 end),
      of_all(function(found) return found.i2 end),
      of_all(function(found) return found.effective_rank end),
      of_all(function(found) return found.centred.effective_rank end),
      of_all(function(found) return 100 * found.top_share end),
      of_all(function(found) return found.intrinsic_dimension end),
    })
  end),
  digits = { 0, 3, 3, 3, 3, 3, 3, 1, 1, 1, 1 },
  note = "Mean cosine of pairs of words: of all, of the most frequent fifth, of the rarest fifth that occurs, and of all around "
    .. "their mean. I1 is 1 and I2 is 0 where the partition function is the same in every direction. Effective rank: exponential "
    .. "of the entropy of the squared singular values. Dimension: by two nearest neighbours.",
})
report:table("Perplexity on other rows, and generated text", {
  columns = { "model", arg.test_split, "distinct-1 (%)", "distinct-2 (%)", "distinct-3 (%)", "repeated 4-grams (%)" },
  rows = lib.map(points, function(at)
    return columns(at, {
      function(_, seed) return tested(at, seed).last.score end,
      function(_, seed) return 100 * texts(at, seed).distinct_1 end,
      function(_, seed) return 100 * texts(at, seed).distinct_2 end,
      function(_, seed) return 100 * texts(at, seed).distinct_3 end,
      function(_, seed) return 100 * texts(at, seed).repetition end,
    })
  end),
  digits = { 0, 2, 2, 2, 2, 2 },
  note = ("Perplexity on the text as it was written, by models of every text. Texts: %d of %d tokens a model, sampled."):format(
    arg.texts, arg.text_length),
})
if not train(points[1], seeds[1]).planned then
  local spectra, paths = {}, {}
  for _, at in ipairs(points) do
    if at.section == "tied" then
      spectra[at.title], paths[at.title] = geometry(at, seeds[1]), train(at, seeds[1])
    end
  end
  report:figure { name = "spectra", kind = "spectrum", geometries = spectra, caption = "Singular values of the output embeddings, tied." }
  report:figure {
    name = "training", kind = "geometry", runs = paths, metric = "mean_cosine",
    caption = "Mean cosine of the output embeddings in training.",
  }
  for _, at in ipairs(points) do
    if at.section == "tied" and (at.method.name == "none" or at.method.name == "cosine") then
      local found = geometry(at, seeds[1])
      report:figure {
        name = "cosines_" .. at.method.name, kind = "cosines", geometry = found,
        caption = ("Cosines of pairs of words by their frequency: %s."):format(at.method.name),
      }
      report:figure {
        name = "projection_" .. at.method.name, kind = "projection", geometry = found,
        caption = ("Words in the plane of their first two principal directions, by frequency: %s."):format(at.method.name),
      }
    end
  end
end
report:resources()
report:save()
