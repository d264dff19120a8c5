-- Give turns to messages that go to domains with a rate of their own: each one's earliest instant, once.
--
-- A line is a number: the instant from which on its next turn is free. Nobody waits for a turn that has passed, but for
-- `burst` seconds that were not used. Each domain has two lines, so that no campaign stands before a welcome mail.
--
-- KEYS     for each domain: the lane's own line, then the line that it may use while that one is the nearer
-- ARGV     now, burst, then for each domain: seconds a turn of the own line, of the other line (0: never), messages
-- Returns  for each message in order of the domains: milliseconds from now until its turn
local now, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local waits = {}
local function free(key)
  return math.max(tonumber(redis.call('GET', key) or 0), now - burst)
end
local function keep(key, at)
  -- to the next microsecond: no turn is early, and the model in Python keeps the same number
  local kept = string.format('%.6f', math.ceil(at * 1000000) / 1000000)
  redis.call('SET', key, kept, 'PX', math.ceil(math.max(at - now, 0) * 1000) + 60000)
end
for domain = 1, #KEYS / 2 do
  local own_key, other_key = KEYS[2 * domain - 1], KEYS[2 * domain]
  local own_turn, other_turn = tonumber(ARGV[3 * domain]), tonumber(ARGV[3 * domain + 1])
  local own, other = free(own_key), free(other_key)
  local other_was_used = false
  for _ = 1, tonumber(ARGV[3 * domain + 2]) do
    local turn
    if other_turn > 0 and other < own then
      turn, other, other_was_used = other, other + other_turn, true
    else
      turn, own = own, own + own_turn
    end
    waits[#waits + 1] = math.ceil(math.max(turn - now, 0) * 1000)
  end
  keep(own_key, own)
  if other_was_used then
    keep(other_key, other)
  end
end
return waits
