--[[
Who has made a full pass lately: counts them, after noting one where it is given.
KEYS  1 reconcilers (string: JSON object, node -> until when its pass counts, ms by this server's clock)
ARGV  1 node, or '' to note nothing   2 for how long its pass counts from now, ms
Result how many nodes count

At most 100 nodes are kept; what is none of ours under the key is an error, like everywhere.
]]
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind ~= 'none' and kind ~= 'string' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[1] .. ' is a ' .. kind .. ', not a string')
end
local isRead, held = pcall(cjson.decode, redis.call('GET', KEYS[1]) or '{}')
if not isRead or type(held) ~= 'table' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[1] .. ' does not hold reconcilers')
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local kept, count, last = {}, 0, 0
for node, untilMs in pairs(held) do
  if type(untilMs) == 'number' and untilMs > now and node ~= ARGV[1] and count < 99 then
    kept[node] = untilMs
    count = count + 1
    last = math.max(last, untilMs)
  end
end
if ARGV[1] == '' then return count end

kept[ARGV[1]] = now + tonumber(ARGV[2])
last = math.max(last, kept[ARGV[1]])
redis.call('SET', KEYS[1], cjson.encode(kept), 'PX', string.format('%.0f', last - now))
return count + 1
