-- One rule's sliding minute: requests and tokens by whole seconds of the server's clock, and their sums.
-- A second counts while no more than `span` seconds are between it and the present one.
-- KEYS: the minute. ARGV: span, nodes; limit, need and wish of requests, then of tokens (a limit below 0 is none);
-- then by threes: a second, and what is added to its requests and tokens, or taken from them.
-- Answers: second, microseconds, requests given and left, tokens given and left; and if less was given than was needed, by
-- threes the seconds that count.
local key = KEYS[1]
local time = redis.call('TIME')
local now = tonumber(time[1])
local span, nodes = tonumber(ARGV[1]), tonumber(ARGV[2])
local head = redis.call('HMGET', key, 's', 'r', 't')
local last = tonumber(head[1]) or now
local sums = {r = tonumber(head[2]) or 0, t = tonumber(head[3]) or 0}

if last > now and last - now <= 2 then
  now = last
elseif last > now then
  -- The clock was set back. All that counts is taken for new: too long, not too short.
  redis.call('DEL', key)
  if sums.r > 0 then redis.call('HSET', key, 'r' .. now, sums.r) end
  if sums.t > 0 then redis.call('HSET', key, 't' .. now, sums.t) end
elseif now - last > span then
  redis.call('DEL', key)
  sums = {r = 0, t = 0}
elseif now > last then
  local past = {}
  for second = last - span, now - span - 1 do
    past[#past + 1] = 'r' .. second
    past[#past + 1] = 't' .. second
  end
  local counts = redis.call('HMGET', key, unpack(past))
  local found = {}
  for at, count in ipairs(counts) do
    if count then
      local kind = string.sub(past[at], 1, 1)
      sums[kind] = sums[kind] - tonumber(count)
      found[#found + 1] = past[at]
    end
  end
  if #found > 0 then redis.call('HDEL', key, unpack(found)) end
end

local function add(kind, second, more)
  if more == 0 then return end
  local field = kind .. second
  if more < 0 then
    more = math.max(more, -(tonumber(redis.call('HGET', key, field)) or 0))
    if more == 0 then return end
  end
  redis.call('HINCRBY', key, field, string.format('%.0f', more))
  sums[kind] = sums[kind] + more
end

for at = 9, #ARGV, 3 do
  local second = math.min(tonumber(ARGV[at]), now)
  if now - second <= span then
    add('r', second, tonumber(ARGV[at + 1]))
    add('t', second, tonumber(ARGV[at + 2]))
  end
end

local short = false
local function take(kind, limit, need, wish)
  if limit < 0 then return 0, 0 end
  local left = math.max(0, limit - sums[kind])
  local chunk = math.floor(left / (8 * nodes))
  local given = math.min(left, math.max(need, math.min(chunk, wish)))
  if given < need then short = true end
  add(kind, now, given)
  return given, left - given
end

local requests, requests_left = take('r', tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]))
local tokens, tokens_left = take('t', tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]))
redis.call('HSET', key, 's', now, 'r', string.format('%.0f', sums.r), 't', string.format('%.0f', sums.t))
redis.call('EXPIRE', key, 2 * span)

local answer = {now, tonumber(time[2]), requests, requests_left, tokens, tokens_left}
if short then
  local fields = {}
  for second = now - span, now do
    fields[#fields + 1] = 'r' .. second
    fields[#fields + 1] = 't' .. second
  end
  local counts = redis.call('HMGET', key, unpack(fields))
  for at = 1, #counts, 2 do
    local requests, tokens = tonumber(counts[at]) or 0, tonumber(counts[at + 1]) or 0
    if requests ~= 0 or tokens ~= 0 then
      answer[#answer + 1] = now - span + (at - 1) / 2
      answer[#answer + 1] = requests
      answer[#answer + 1] = tokens
    end
  end
end
return answer
