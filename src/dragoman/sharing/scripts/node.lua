-- A node tells that it lives.
-- KEYS: the living nodes, the store's name. ARGV: node (or '-' before it: it leaves), seconds after which a silent node is dead, a
-- new name for the store.
-- Answers: the store's name (another one: it has forgotten everything), how many seconds it has had it, the living nodes.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local node = ARGV[1]
if string.sub(node, 1, 1) == '-' then
  redis.call('ZREM', KEYS[1], string.sub(node, 2))
else
  redis.call('ZADD', KEYS[1], string.format('%.3f', now), node)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.3f', now - tonumber(ARGV[2])))
local name = redis.call('GET', KEYS[2])
if not name then
  name = ARGV[3] .. ' ' .. time[1]
  redis.call('SET', KEYS[2], name)
end
return {name, math.floor(now), redis.call('ZRANGE', KEYS[1], 0, -1)}
