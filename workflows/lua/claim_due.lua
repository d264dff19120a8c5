-- Claim up to ARGV[2] members of the timer index that are due at ARGV[1], for the dispatcher who will ring for them.
-- KEYS[1]  timers:<lane>           sorted set, member = enrolment id, score = wake time (Unix seconds)
-- KEYS[2]  timers:<lane>:claimed   the same members once they are claimed, score = ARGV[3], the end of the lease
-- Returns {how many were claimed, score of the next member that nobody claimed or ""}.
-- Whoever claimed releases them after the bell. If it died in between, they are claimed again when the lease is over.
local limit = tonumber(ARGV[2])
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, limit)
if #due < limit then
    local woken = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, limit - #due)
    if #woken > 0 then
        redis.call('ZREM', KEYS[1], unpack(woken))
    end
    for _, member in ipairs(woken) do
        due[#due + 1] = member
    end
end
if #due > 0 then
    local leases = {}
    for _, member in ipairs(due) do
        leases[#leases + 1] = ARGV[3]
        leases[#leases + 1] = member
    end
    redis.call('ZADD', KEYS[2], unpack(leases))
end
local next_member = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {#due, next_member[2] or ''}
