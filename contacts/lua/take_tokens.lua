-- Take `wanted` tokens from a bucket that fills at `rate` a second, all of them or none, by the clock of the Redis
-- server. A request that is larger than the bucket is granted when the bucket is full.
--
-- KEYS[1]  hash {tokens, at}: what was left, and when (seconds). Absent: full. Expires once it would be full anyway.
-- ARGV     rate, capacity, wanted
-- Returns  {milliseconds to wait before it can be granted (0: it was), whole tokens that are left}
local rate, capacity, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local needed = math.min(wanted, capacity)
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = capacity
if kept[1] then
  -- a server clock that was set back must not empty the bucket for as long
  tokens = math.min(capacity, tonumber(kept[1]) + math.max(0, now - tonumber(kept[2])) * rate)
end
local wait = 0
if tokens >= needed then
  tokens = tokens - needed
else
  wait = math.max(1, math.ceil((needed - tokens) / rate * 1000))
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(capacity / rate * 1000) + 1000)
return {wait, math.floor(tokens)}
