-- Take up to ARGV[2] members of the timer index that are due at ARGV[1].
-- KEYS[1]  timers:<lane>   sorted set, member = enrolment id, score = wake time (Unix seconds)
-- Returns {how many were taken, score of the next member or ""}.
-- Taking a member loses nothing: the row in PostgreSQL decides, and the sweep finds what Redis forgot.
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, tonumber(ARGV[2]))
if #due > 0 then
    redis.call('ZREM', KEYS[1], unpack(due))
end
local next_member = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {#due, next_member[2] or ''}
