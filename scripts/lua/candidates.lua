-- The choice among candidates by the scores of their trainings. A candidate whose training diverges loses; every other error goes on.
local native, ts = ...
local raw_xpcall = xpcall  -- the sandbox's own passes no thread on

-- More is better. A score that is none is the worst.
local function score_of(run, which)
  local score = run[which].score
  if score == nil or score ~= score then return -math.huge end
  return native.higher_is_better(run.metric) and score or -score
end

-- { run } of a training that ended, { diverged = reason, steps } of one that diverged.
local function outcome_of(options, candidate, seed)
  local thread = coroutine.running()
  local ok, result = raw_xpcall(options.run, function(err) return native.failure(err, thread) end, candidate, seed)
  if ok and type(result) ~= "table" then
    local found = ("%s: run of %s returned a %s"):format(options.name, options.in_words(candidate), type(result))
    native.fail(found .. ", expected a result of ts.train")
  end
  if ok then return { run = result } end
  if not result.diverged then error(result, 0) end
  return { diverged = result.diverged, steps = result.steps }
end

-- { candidate, runs, mean, planned, diverged = texts, steps = those of diverged trainings } out of the outcomes of all seeds.
local function trial_of(candidate, outcomes, options)
  local trial = { candidate = candidate, runs = {}, diverged = {}, steps = 0, planned = false }
  local sum = 0
  for i, outcome in ipairs(outcomes) do
    if outcome.run then
      trial.runs[#trial.runs + 1] = outcome.run
      sum = sum + score_of(outcome.run, options.score)
      trial.planned = trial.planned or rawget(outcome.run, "planned") ~= nil
    else
      trial.diverged[#trial.diverged + 1] = ("%s: %s (seed %d)"):format(options.in_words(candidate), outcome.diverged, options.seeds[i])
      trial.steps = trial.steps + outcome.steps
    end
  end
  trial.mean = sum / #outcomes
  return trial
end

local function fail_all(trials, name)
  local texts, steps = {}, 0
  for _, trial in ipairs(trials) do
    texts[#texts + 1] = table.concat(trial.diverged, "; ")
    steps = steps + trial.steps
  end
  local reason = ("every candidate diverged: %s"):format(table.concat(texts, "; "))
  native.diverge(("%s: %s. Smaller rates, a warm-up or a smaller max_grad_norm may help"):format(name, reason), reason, steps)
end

-- The trial with the highest mean score over the seeds, the first of equals, and all trials in order.
-- options: { name of the caller, run = function(candidate, seed), seeds, score = "last" | "best", in_words = function(candidate), to_beat = a
-- trial of before that is the best unless one is better }
return function(candidates, options)
  local outcomes = ts.sweep({ candidate = candidates, seed = options.seeds }, function(at)
    return outcome_of(options, at.candidate, at.seed)
  end)
  local best, trials = options.to_beat, {}
  for i, candidate in ipairs(candidates) do
    local first = (i - 1) * #options.seeds
    local trial = trial_of(candidate, table.move(outcomes, first + 1, first + #options.seeds, 1, {}), options)
    if #trial.diverged == 0 and (best == nil or trial.mean > best.mean) then best = trial end
    trials[i] = trial
  end
  if best == nil then fail_all(trials, options.name) end
  return best, trials
end
