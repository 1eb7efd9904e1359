--[[
Marks a starting epoch as open, if it is still this one.
KEYS  1 epoch (hash)
ARGV  1 id
Result 1 if it was marked, else 0
]]
local epoch = redis.call('HMGET', KEYS[1], 'id', 'state')
if epoch[1] ~= ARGV[1] or epoch[2] ~= 'starting' then return 0 end
redis.call('HSET', KEYS[1], 'state', 'open')
return 1
