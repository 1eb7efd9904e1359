--[[
Sets a position that is absent, while the epoch is this one and still starting. Later, a late pass must not set one:
it would skip what had been written meanwhile.
KEYS  1 epoch (hash)   2 positions (hash)
ARGV  1 id   2 source   3 position
Result 1 if it was set, else 0
]]
local epoch = redis.call('HMGET', KEYS[1], 'id', 'state')
if epoch[1] ~= ARGV[1] or epoch[2] ~= 'starting' then return 0 end
return redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[3])
