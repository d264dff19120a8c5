-- Take up to `wanted` tokens from a bucket that fills at `rate` a second, by the clock of the Redis server.
--
-- KEYS[1]  hash {tokens, at}: what was left, and when (seconds). Absent: full. Expires once it would be full anyway.
-- KEYS[2]  while it is there nothing is granted: the provider asked us to wait for as long as it lives
-- ARGV     rate, capacity, wanted (negative: give back), spare (tokens that this caller leaves for others)
-- Returns  {granted, milliseconds until one more can be granted (0 when anything was)}
local rate, capacity = tonumber(ARGV[1]), tonumber(ARGV[2])
local wanted, spare = tonumber(ARGV[3]), tonumber(ARGV[4])
if wanted > 0 then
  local held = redis.call('PTTL', KEYS[2])
  if held > 0 then
    return {0, held}
  end
end
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = capacity
if kept[1] then
  -- a server clock that was set back must not empty the bucket for as long
  tokens = math.min(capacity, tonumber(kept[1]) + math.max(0, now - tonumber(kept[2])) * rate)
end
local granted = 0
if wanted < 0 then
  tokens = math.min(capacity, tokens - wanted)
else
  granted = math.min(wanted, math.max(0, math.floor(tokens - spare)))
  tokens = tokens - granted
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(capacity / rate * 1000) + 1000)
local wait = 0
if granted == 0 and wanted > 0 then
  wait = math.ceil((1 + spare - tokens) / rate * 1000)
end
return {granted, wait}
