--[[
Sets the epoch if there is none.
KEYS  1 epoch (hash)
ARGV  1 id   2 archive URL   3 floor   4 state
Result {id, archive, floor, state}: what stands now
]]
if redis.call('TYPE', KEYS[1])['ok'] == 'none' then
  redis.call('HSET', KEYS[1], 'id', ARGV[1], 'archive', ARGV[2], 'floor', ARGV[3], 'state', ARGV[4])
end
return redis.call('HMGET', KEYS[1], 'id', 'archive', 'floor', 'state')
