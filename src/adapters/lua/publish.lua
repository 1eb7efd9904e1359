--[[
Publishes one batch of one source, or nothing at all.

All checks come before the first write. A write that fails after that (an ACL that allows only some commands, a stream
whose last possible id somebody has used) takes back those before it, so the step stays atomic.

KEYS  1 epoch (hash: id, archive, floor, state)   2 positions (hash: source -> position)   3 seq (string)
      4 records (stream)   5 segments (stream)
ARGV  1 epoch id   2 floor   3 source   4 '1' if the position is expected to be absent, else '0'   5 expected position
      6 next position   7 number of entries   8 number of announcements
      9 ... for each entry, then each announcement: how many arguments follow (even, 2 to 200), then name, value, ...
Result {'published', seq of the first entry} | {'moved', position or nil} | {'stale'}

Numbers are written with %.0f, since Lua prints 1e14 + 1 as 1e+14. Positions and offsets are never made numbers.
]]
local types = {'hash', 'hash', 'string', 'stream', 'stream'}
for i = 1, 5 do
  local kind = redis.call('TYPE', KEYS[i])['ok']
  if kind ~= 'none' and kind ~= types[i] then
    return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is a ' .. kind .. ', not a ' .. types[i])
  end
end

local epoch = redis.call('HMGET', KEYS[1], 'id', 'floor', 'state')
if epoch[1] ~= ARGV[1] or epoch[2] ~= ARGV[2] or epoch[3] ~= 'open' then
  return {'stale'}
end

local position = redis.call('HGET', KEYS[2], ARGV[3])
if ARGV[4] == '1' then
  if position then return {'moved', position} end
elseif position ~= ARGV[5] then
  return {'moved', position}
end

local before = redis.call('GET', KEYS[3]) or '0'
if not string.match(before, '^%d+$') or #before > 15 then
  return redis.error_reply('WRONGTYPE ' .. KEYS[3] .. ' does not hold a sequence number')
end

local entries, announcements, last = tonumber(ARGV[7]), tonumber(ARGV[8]), #ARGV
local at = 9
for _ = 1, entries + announcements do
  local count = tonumber(ARGV[at])
  if not count or count < 2 or count > 200 or count % 2 ~= 0 or at + count > last then
    return redis.error_reply('ERR publish: malformed batch')
  end
  at = at + count + 1
end
if at ~= last + 1 then
  return redis.error_reply('ERR publish: malformed batch')
end

local seq = tonumber(before)
local added = {}

local function undo(failure)
  for _, one in ipairs(added) do redis.pcall('XDEL', one[1], one[2]) end
  if position then redis.pcall('HSET', KEYS[2], ARGV[3], position) else redis.pcall('HDEL', KEYS[2], ARGV[3]) end
  redis.pcall('SET', KEYS[3], before)
  return failure
end

redis.call('SET', KEYS[3], string.format('%.0f', seq + entries))
local done = redis.pcall('HSET', KEYS[2], ARGV[3], ARGV[6])
if type(done) == 'table' and done.err then return undo(done) end

at = 9
for i = 1, entries + announcements do
  local count = tonumber(ARGV[at])
  local key = i <= entries and KEYS[4] or KEYS[5]
  local id
  if i <= entries then
    id = redis.pcall('XADD', key, '*', 'epoch', ARGV[1], 'seq', string.format('%.0f', seq + i), unpack(ARGV, at + 1, at + count))
  else
    id = redis.pcall('XADD', key, '*', unpack(ARGV, at + 1, at + count))
  end
  if type(id) == 'table' and id.err then return undo(id) end
  added[i] = {key, id}
  at = at + count + 1
end

return {'published', string.format('%.0f', seq + 1)}
