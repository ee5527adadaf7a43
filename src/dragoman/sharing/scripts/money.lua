-- What is spent under one rule's budget in one window, and what each node holds of the rest while it lives. In nanodollars.
-- Fields: 'spent'; 'primed', while the ledger's sum is in it; 'h' and 'o' before a node's name: what it holds, and its own sum of
-- what it spent, as far as that is in 'spent'.
-- KEYS: the budget's hash, the living nodes. ARGV: node, how many nodes, limit, the node's own sum, how much of it the node knows
-- to be counted, what it keeps, what it needs more and would like, what was spent as far as it knows or -1, whether it has that from
-- the ledger.
-- Answers: what it gets more, spent, held by others, left, how much it may keep unused, whether it got less than it needed, primed.
local key, living = KEYS[1], KEYS[2]
local node, nodes, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local own, told, keep, need = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local wish, prime, asked = tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10] == '1'
local function whole(number) return string.format('%.0f', number) end

local spent, primed = 0, false
local others = 0
local fields = redis.call('HGETALL', key)
for at = 1, #fields, 2 do
  local name, value = fields[at], fields[at + 1]
  if name == 'spent' then
    spent = tonumber(value)
  elseif name == 'primed' then
    primed = true
  elseif name == 'o' .. node then
    told = math.max(told, tonumber(value))
  elseif name ~= 'h' .. node then
    local other = string.sub(name, 2)
    if not redis.call('ZSCORE', living, other) then
      -- It may have spent what it did not tell: the ledger is to be asked again.
      if string.sub(name, 1, 1) == 'h' and tonumber(value) > 0 then
        primed = false
        redis.call('HDEL', key, 'primed')
      end
      redis.call('HDEL', key, name)
    elseif string.sub(name, 1, 1) == 'h' then
      others = others + tonumber(value)
    end
  end
end

if prime >= 0 then
  spent = math.max(spent, prime)
  primed = primed or asked
end
spent = spent + math.max(0, own - told)
local left = math.max(0, limit - spent - others - keep)
local spare = math.floor(left / (8 * nodes))
local given = math.min(left, math.max(need, math.min(spare, wish)))

redis.call('HSET', key, 'spent', whole(spent), 'o' .. node, whole(own), 'h' .. node, whole(keep + given))
if primed then redis.call('HSET', key, 'primed', 1) end
redis.call('EXPIRE', key, 3456000)
return {given, spent, others, left - given, spare, (given < need) and 1 or 0, primed and 1 or 0}
