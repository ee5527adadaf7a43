-- Requests of one rule that are under way, by node. What a node holds counts while the node lives.
-- KEYS: the rule's hash, the living nodes. ARGV: node, how many nodes, limit, how many it keeps, how many more it needs.
-- Answers: how many more it gets, how many others hold, how many it may keep unused, whether it got less than it needed.
local key, living = KEYS[1], KEYS[2]
local node, nodes, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local keep, need = tonumber(ARGV[4]), tonumber(ARGV[5])

local others = 0
local held = redis.call('HGETALL', key)
for at = 1, #held, 2 do
  if held[at] ~= node then
    if redis.call('ZSCORE', living, held[at]) then
      others = others + tonumber(held[at + 1])
    else
      redis.call('HDEL', key, held[at])
    end
  end
end

local left = math.max(0, limit - others - keep)
local spare = math.floor(left / (8 * nodes))
local given = math.min(left, need)
if need > 0 and left > need then given = math.min(left, need + math.min(need, spare)) end
if keep + given > 0 then
  redis.call('HSET', key, node, keep + given)
  redis.call('EXPIRE', key, 600)
else
  redis.call('HDEL', key, node)
end
return {given, others, spare, (given < need) and 1 or 0}
