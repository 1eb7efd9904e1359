--[[
Moves the floor, and drops the positions that say no more than the new floor does.
KEYS  1 epoch (hash)   2 positions (hash)
ARGV  1 id   2 floor expected   3 new floor   4 ... source, position, source, position, ...
Result 1 if the floor was as expected, else 0 and nothing is changed
]]
local kind = redis.call('TYPE', KEYS[2])['ok']
if kind ~= 'none' and kind ~= 'hash' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[2] .. ' is a ' .. kind .. ', not a hash')
end
local epoch = redis.call('HMGET', KEYS[1], 'id', 'floor')
if epoch[1] ~= ARGV[1] or epoch[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'floor', ARGV[3])
for i = 4, #ARGV - 1, 2 do
  if redis.call('HGET', KEYS[2], ARGV[i]) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[2], ARGV[i])
  end
end
return 1
