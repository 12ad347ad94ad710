"""The books of a budget that several processes share, in Redis: one script, so that nothing comes between.

    spent + held <= budget      after every reservation, whoever made it

Money is whole nano-dollars, far below what a number of the script's language holds exactly (2^53, nine million
dollars). Each process has a part of the books: what it has settled and what it has reserved. What a process that is
silent for `ALIVE` seconds had reserved counts as spent, because it may have been billed; should it speak again, it
settles as always. A call that comes twice, because its answer was lost, is booked once and answered the same.

A part opened again under the same `token` is the same run taken up again: it says what its ledger knows, which has
counted what was under way. Under another one, the run was started over: it begins anew, and where it had ended, the
other parts that have ended belong to the round before and go.
"""

from __future__ import annotations

from hashlib import sha256

from trivet.store.redis_connection import RedisConnection

KEPT_S = 30 * 86_400
"""Seconds after the last use for which the books are kept."""

SCRIPT = (
    f"local KEPT = {KEPT_S}\n"
    + """
local ALIVE = 15
local time = redis.call('TIME')
local now = tonumber(time[1])
local call = cmsgpack.unpack(ARGV[1])
local packed = redis.call('GET', KEYS[1])
local parts = packed and cmsgpack.unpack(packed) or {}
local part = parts[call.part]
if call.opens and not (part and part.session == call.session) then
  if part and part.token == call.token then
    part.settled, part.reserved = math.max(part.settled, call.earlier), 0
  else
    if part and part.done then
      for name, other in pairs(parts) do
        if other.done then parts[name] = nil end
      end
    end
    part = {token = call.token, settled = call.earlier, reserved = 0}
  end
  part.session, part.number = call.session, -1
  parts[call.part] = part
end
if not part or part.session ~= call.session then return cmsgpack.pack({lost = true, spent = 0, held = 0}) end
if part.number == call.number then return part.answer end
part.number, part.seen, part.done = call.number, now, call.done
part.reserved, part.settled = part.reserved - call.released, part.settled + call.spent
local spent, held = 0, 0
for _, other in pairs(parts) do
  spent = spent + other.settled
  if now - other.seen <= ALIVE then held = held + other.reserved else spent = spent + other.reserved end
end
local rooms = {}
for n, amount in ipairs(call.amounts) do
  if spent + amount > call.budget then
    rooms[n] = 'stop'
  elseif spent + held + amount > call.budget then
    break
  else
    rooms[n] = 'reserved'
    part.reserved, held = part.reserved + amount, held + amount
  end
end
part.answer = cmsgpack.pack({lost = false, spent = spent, held = held, rooms = #rooms > 0 and rooms or nil})
redis.call('SET', KEYS[1], cmsgpack.pack(parts), 'EX', KEPT)
return part.answer
"""
)


class RedisBooks:
    """The books of the budget of that name."""

    def __init__(self, connection: RedisConnection, name: str) -> None:
        self._connection = connection
        self._key = f"{connection.prefix}:budget:{sha256(name.encode()).hexdigest()[:20]}"

    async def exchange(self, call: bytes) -> bytes:
        """Book a call, in the terms of `engine.shared_account`; a `TrivetError` when Redis fails."""
        connection = self._connection
        try:
            script = connection.client().register_script(SCRIPT)
            answer: bytes = await script(keys=[self._key], args=[call])
        except connection.errors as error:
            raise connection.explain(error) from None
        return answer
