"""Where processes on one key take turns: one script in Redis, by the server's clock, for each model's limits.

A call says what its process would send next; the script answers with moments. There is one pace for all,

    moment = max(due, now - burst, end of the last pause);    due = moment + 1 / rate

for requests and for tokens, the later one counts, so what the processes send together is as even as if one of them
sent it all, and never more than `AHEAD` of it is handed out. Whose turn it is: start-time fair queueing (Goyal, Vin,
Cheng 1996). `tag` is the pace that a process has used up, in seconds; while others wait who have used less, nobody
gets further ahead of them than `QUANTUM`. An idle process holds nobody up, a late one only as long as the pace loses
nothing by it, and a dead one is forgotten after `GONE`. The mirror of the provider's buckets is the one of
`limits.mirror`, counting what all of them send.

What is learned from refusals (`learned`) is opaque here: it is replaced by a process that had seen the latest.
"""

from __future__ import annotations

from trivet.store.redis_connection import RedisConnection

KEPT_S = 3600
"""Seconds after the last use for which the limits of a model are remembered."""

SCRIPT = (
    f"local KEPT = {KEPT_S}\n"
    + """
local AHEAD, QUANTUM, WAITING, GONE = 0.2, 0.08, 0.6, 1.5
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local call = cmsgpack.unpack(ARGV[1])
local packed = redis.call('GET', KEYS[1])
local s = packed and cmsgpack.unpack(packed) or
  {virtual = 0, pause = 0, version = 0, minute = now, used = 0, busiest = 0, members = {},
   requests = {spent = 0, due = now}, tokens = {spent = 0, due = now}}
local kinds = {'requests', 'tokens'}

-- what the caller has learned
if call.learned and call.base == s.version then
  if not s.learned or math.abs(s.learned.moved - call.learned.moved) > 1 then
    s.minute, s.used, s.busiest = call.learned.moved, 0, 0
  end
  s.learned, s.version = call.learned, s.version + 1
end
s.pause = math.max(s.pause, call.pause)
if now - s.minute >= 60 then
  s.busiest = math.max(s.busiest, s.used)
  s.minute, s.used = s.minute + 60 * math.floor((now - s.minute) / 60), 0
end
for _, kind in ipairs(kinds) do
  local m, told = s[kind], call[kind]
  m.spent = m.spent + told.extra
  if told.rate then m.due = m.due + told.shift / told.rate end
  if told.limit then m.limit = told.limit end
  if m.limit and told.remaining and told.mark >= (m.mark or 0) and told.mark <= m.spent then
    m.mark, m.at, m.remaining, m.reset = told.mark, told.at, math.min(told.remaining, m.limit), told.reset
  end
end
s.used = s.used + call.tokens.extra

-- whoever is there
local me = s.members[call.id] or {tag = s.virtual, wants = 0}
if #call.wants > 0 and me.wants == 0 then me.tag = math.max(me.tag, s.virtual) end
me.seen = now
s.members[call.id] = me
local count, least = 0, nil
for id, member in pairs(s.members) do
  if now - member.seen > GONE then
    s.members[id] = nil
  else
    count = count + 1
    if id ~= call.id and member.wants > 0 and now - member.seen < WAITING and (not least or member.tag < least) then
      least = member.tag
    end
  end
end

local function wait_of(m, amount, at)
  if not m.limit or not m.remaining then return 0 end
  local slope = m.reset > 0 and (m.limit - m.remaining) / m.reset or 0
  local passed = at - m.at
  local refill = slope * math.min(passed, m.reset) + m.limit / 60 * math.max(0, passed - m.reset)
  local lacking = math.min(amount, m.limit) - math.min(m.limit, m.remaining + refill - (m.spent - m.mark))
  local until_reset = m.at + m.reset - at
  if lacking <= 0 then return 0 end
  if until_reset <= 0 or slope <= 0 then return lacking / m.limit * 60 end
  return math.min(lacking / slope, until_reset)
end

local first = {requests = s.requests.spent, tokens = s.tokens.spent}
local moments, again, free_until = {}, 0, nil
for _, tokens in ipairs(call.wants) do
  local amounts, at, cost = {requests = 1, tokens = tokens}, 0, 0
  for _, kind in ipairs(kinds) do
    if call[kind].rate then
      s[kind].due = math.max(s[kind].due, now - call[kind].burst, s.pause)
      at = math.max(at, s[kind].due)
      cost = math.max(cost, amounts[kind] / call[kind].rate)
    end
  end
  free_until = free_until or (at <= now and now + QUANTUM or now)
  at = math.max(at, now, s.pause)
  for _, kind in ipairs(kinds) do at = at + wait_of(s[kind], amounts[kind], at) end
  if at > now + AHEAD then
    again = at - now - AHEAD / 2
    break
  end
  if least and me.tag - least > QUANTUM and at >= free_until then
    again = math.max(QUANTUM / 4, count / 100)
    break
  end
  for _, kind in ipairs(kinds) do
    s[kind].spent = s[kind].spent + amounts[kind]
    if call[kind].rate then s[kind].due = s[kind].due + amounts[kind] / call[kind].rate end
  end
  s.virtual = math.max(s.virtual, me.tag)
  me.tag, s.used = me.tag + cost, s.used + tokens
  moments[#moments + 1] = at - now
end
me.wants = #call.wants - #moments
redis.call('SET', KEYS[1], cmsgpack.pack(s), 'EX', KEPT)
return cmsgpack.pack({
  now = now, again = again, count = count, pause = s.pause, version = s.version, learned = s.learned,
  busiest = s.busiest, moments = #moments > 0 and moments or nil,
  limit_requests = s.requests.limit, limit_tokens = s.tokens.limit,
  first_requests = first.requests, first_tokens = first.tokens,
})
"""
)


class RedisLimits:
    """The turns of one scope: a server and whose account it is."""

    def __init__(self, connection: RedisConnection, scope: str) -> None:
        self._connection = connection
        self._scope = scope

    async def exchange(self, line: str, call: bytes) -> bytes:
        """Tell and ask for one model's limits, in the terms of `limits.turns`; a `TrivetError` when Redis fails."""
        connection = self._connection
        key = f"{connection.prefix}:limits:{self._scope}:{line}"
        try:
            script = connection.client().register_script(SCRIPT)
            answer: bytes = await script(keys=[key], args=[call])
        except connection.errors as error:
            raise connection.explain(error) from None
        return answer

    async def close(self) -> None:
        """Close the connections of the running loop."""
        await self._connection.close()
