--[[
How many entries of the records stream each consumer group has not been given yet.

Told from our own numbering, which has no gaps: the last number given out, and that of the first entry after what the group was
given last. No Redis before 7 counts a group's lag. What was trimmed before it was read is not in it.

KEYS  1 records (stream)   2 seq (string)
ARGV  1 the most groups to tell of
Result {group, lag, group, lag, ...}, by name
]]
if redis.call('TYPE', KEYS[1])['ok'] ~= 'stream' then return {} end
local seq = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
local result = {}

local function firstAfter(id)
  local entry = redis.call('XRANGE', KEYS[1], '(' .. id, '+', 'COUNT', 1)[1]
  if not entry then return nil end
  for at = 1, #entry[2] - 1, 2 do
    if entry[2][at] == 'seq' then return tonumber(entry[2][at + 1]) end
  end
end

for at, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  if at > tonumber(ARGV[1]) then break end
  local named = {}
  for pair = 1, #group - 1, 2 do named[group[pair]] = group[pair + 1] end
  local first = firstAfter(named['last-delivered-id'])
  result[#result + 1] = named['name']
  result[#result + 1] = first and math.max(0, seq - first + 1) or 0
end
return result
