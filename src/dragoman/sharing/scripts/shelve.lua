-- Puts a kept answer on the shelf, and makes room for it.
-- KEYS: the value, the index (name by the time that it ends), the sizes (by name), the bytes of all.
-- ARGV: what stands before a name in its key, the name, the value, for how many milliseconds, the room for all.
local prefix, name, value = ARGV[1], ARGV[2], ARGV[3]
local ttl, room = tonumber(ARGV[4]), tonumber(ARGV[5])
local index, sizes, bytes = KEYS[2], KEYS[3], KEYS[4]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function drop(gone)
  local size = tonumber(redis.call('HGET', sizes, gone) or 0)
  redis.call('HDEL', sizes, gone)
  redis.call('ZREM', index, gone)
  redis.call('DEL', prefix .. gone)
  return redis.call('DECRBY', bytes, size)
end

for _, over in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now, 'LIMIT', 0, 1000)) do
  drop(over)
end
drop(name)
local size = #value + 256
if size > room then
  return 0
end
local total = tonumber(redis.call('GET', bytes))
while total + size > room do
  local first = redis.call('ZRANGE', index, 0, 0)[1]
  if not first then
    total = 0
    redis.call('SET', bytes, 0)
    break
  end
  total = drop(first)
end
redis.call('SET', KEYS[1], value, 'PX', ttl)
redis.call('ZADD', index, now + ttl, name)
redis.call('HSET', sizes, name, size)
redis.call('INCRBY', bytes, size)
return 1
