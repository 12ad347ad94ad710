"""What happens in Redis as one step: put, evict, touch, forget; claim, extend and release a lease.

Under a prefix `P:` lie

    P:answer/DIGEST   a value, by its 32-byte digest
    P:used            digests by when they were last used, in microseconds of the server's clock
    P:entries         digest -> "charge stored": bytes it counts as, when it was stored
    P:bytes           the sum of the charges
    P:lease/DIGEST    the token of whoever asks for this value at the moment; it expires with its holder

Whatever Redis itself evicts is a miss and stays counted until its turn comes, which is soon: it was not in use.
Each script may run twice to the same end, because a command whose answer was lost is sent again.
"""

from __future__ import annotations

EVICTIONS = 100
"""Entries that one put removes at most, so that no put holds up others for long."""

_NOW = """
local t = redis.call('TIME')
local now = t[1] .. string.format('%06d', t[2])
"""

_EVICT = """
local function evict(held, limit, most, prefix)
  local gone = 0
  while held > limit and gone < most do
    local oldest = redis.call('ZPOPMIN', KEYS[1])[1]
    if not oldest then held = 0 break end
    local entry = redis.call('HGET', KEYS[2], oldest)
    redis.call('HDEL', KEYS[2], oldest)
    redis.call('UNLINK', prefix .. oldest)
    held = held - tonumber(string.match(entry or '0', '^%d+'))
    gone = gone + 1
  end
  if held < 0 then held = 0 end
  redis.call('SET', KEYS[3], string.format('%.0f', held))
  return {redis.call('HLEN', KEYS[2]), held, gone}
end
"""

_CHARGE = "local held = tonumber(redis.call('GET', KEYS[3]) or '0')\n"

PUT = (
    _NOW
    + _EVICT
    + _CHARGE
    + f"""
local digest, value, charge, limit, prefix = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local old = redis.call('HGET', KEYS[2], digest)
if old then held = held - tonumber(string.match(old, '^%d+')) end
if charge > limit then
  redis.call('UNLINK', prefix .. digest)
  redis.call('ZREM', KEYS[1], digest)
  redis.call('HDEL', KEYS[2], digest)
else
  redis.call('SET', prefix .. digest, value)
  redis.call('ZADD', KEYS[1], now, digest)
  redis.call('HSET', KEYS[2], digest, charge .. ' ' .. now)
  held = held + charge
end
return evict(held, limit, {EVICTIONS}, prefix)
"""
)
"""KEYS used, entries, bytes; ARGV digest, value, charge, limit, prefix of values -> {entries, bytes, evicted}."""

SHRINK = _EVICT + _CHARGE + f"return evict(held, tonumber(ARGV[1]), {EVICTIONS}, ARGV[2])"
"""KEYS as above; ARGV limit, prefix of values -> the same; until it evicts nothing."""

FORGET = (
    _EVICT
    + _CHARGE
    + """
local gone = 0
for i = 2, #ARGV do
  local entry = redis.call('HGET', KEYS[2], ARGV[i])
  if entry then
    held = held - tonumber(string.match(entry, '^%d+'))
    gone = gone + 1
  end
  redis.call('HDEL', KEYS[2], ARGV[i])
  redis.call('ZREM', KEYS[1], ARGV[i])
  redis.call('UNLINK', ARGV[1] .. ARGV[i])
end
local left = evict(held, math.huge, 0, ARGV[1])
return {left[1], left[2], gone}
"""
)
"""KEYS as above; ARGV prefix of values, digests... -> {entries, bytes, removed}."""

TOUCH = (
    _NOW
    + """
for i = 1, #ARGV do redis.call('ZADD', KEYS[1], 'XX', now, ARGV[i]) end
"""
)
"""KEYS used; ARGV digests... in use."""

CLAIM = """
local holder = redis.call('GET', KEYS[1])
if not holder then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return {(not holder or holder == ARGV[1]) and 1 or 0, redis.call('GET', KEYS[2])}
"""
"""KEYS lease, value; ARGV token, milliseconds -> {1 where it is ours now, the value or nil}."""

EXTEND = """
for i, lease in ipairs(KEYS) do
  if redis.call('GET', lease) == ARGV[i + 1] then redis.call('PEXPIRE', lease, ARGV[1]) end
end
"""
"""KEYS leases...; ARGV milliseconds, tokens...; those that are another's by now are left alone."""

RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
"""KEYS lease; ARGV token -> 1 where it was ours."""
