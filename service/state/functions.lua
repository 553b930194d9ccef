#!lua name=firstseen_v1

-- The only code of firstseen that runs inside Redis. Each function is one atomic step; all keys come in KEYS, and
-- keys.py says what they hold. Redis 7.0 features only. A change that an older process could not work beside takes
-- a new library name (firstseen_v2, fs2_...): both then live in one server during a rolling restart.
--
-- A refusal writes nothing and is an error reply: a word, then figures that the client turns into a message.
--   FENCED <epoch> <owner>         the token is not the current one
--   LEASEHELD <ms> <owner>         another owner's lease is alive
--   BUNDLE <id>                    the stream belongs to another bundle
--   HORIZON <n>                    the stream was made with another dedup horizon
--   CONFLICT <expected seq>        the batch or snapshot does not fit the log
--   DUPLICATE <position> ...       these items (from 0) have a verdict already
--   TAKEN <key>                    there is something already where an import is to go
--   MISSING <key>                  what an import wrote is not all there
--   FULL <n>                       there are n dead letters, which is the most
--   STREAMS <n>                    there are n streams, which is the most
--   SAVING <generation>            the snapshot generation is not, or no longer, the one being saved

-- Lua's unpack() is bounded by its C stack (about 8000 values); long argument lists go in slices.
local SLICE = 1000
-- Entries dropped in one call at most, so that a trim never holds the server for long.
local TRIM = 1000

-- The error reply for a wrong token, or nil. A missing epoch (state wiped under us) fences too. The token is the
-- epoch *and* the owner's name: after a fail-over to a replica that lagged, two owners may count to the same epoch.
local function fence(epoch_key, token)
  local epoch = redis.call('GET', epoch_key)
  if epoch ~= token then
    return redis.error_reply('FENCED ' .. (epoch or '0 nobody'))
  end
  return nil
end

-- An integer as Redis wants it: no exponent, no fraction. Exact up to 2^53.
local function integer(n)
  return string.format('%.0f', n)
end

-- '<generation> <seq> ...' -> both as strings.
local function parse_snapshot(text)
  return string.match(text, '^(%d+) (%d+) ')
end

-- Take the stream: the lease, a new epoch, and on first use the bundle id, an empty head and its place among the names.
-- KEYS bundle epoch lease head streams
-- ARGV bundle id, owner, lease ms, horizon, '1' to take a live lease, name, most streams.
-- Returns {epoch, seq, saving or ''}. An older process gives neither streams nor what belongs to it.
local function acquire(keys, args)
  local bundle = redis.call('GET', keys[1])
  if bundle and bundle ~= args[1] then
    return redis.error_reply('BUNDLE ' .. bundle)
  end
  local horizon = redis.call('HGET', keys[4], 'horizon')
  if horizon and horizon ~= args[4] then
    return redis.error_reply('HORIZON ' .. horizon)
  end
  local lease = redis.call('GET', keys[3])
  if lease and args[5] ~= '1' then
    if lease ~= args[2] then
      return redis.error_reply('LEASEHELD ' .. redis.call('PTTL', keys[3]) .. ' ' .. lease)
    end
  end
  if keys[5] then
    local streams = redis.call('SCARD', keys[5])
    if not bundle and streams >= tonumber(args[7]) and redis.call('SISMEMBER', keys[5], args[6]) == 0 then
      return redis.error_reply('STREAMS ' .. integer(streams))
    end
    redis.call('SADD', keys[5], args[6])
  end
  if not bundle then
    redis.call('SET', keys[1], args[1])
  end
  if not horizon then
    redis.call('HSET', keys[4], 'horizon', args[4], 'seq', '0', 'idgen', '0', 'gen', '0', 'trimmed', '0')
  end
  local epoch = tonumber(string.match(redis.call('GET', keys[2]) or '0', '^%d+')) + 1
  redis.call('SET', keys[2], integer(epoch) .. ' ' .. args[2])
  redis.call('SET', keys[3], args[2], 'PX', args[3])
  local head = redis.call('HMGET', keys[4], 'seq', 'saving')
  return {epoch, tonumber(head[1]), head[2] or ''}
end

-- Lengthen the lease; one that merely ran out, with no owner since, is taken again. A log shorter than its owner knows
-- it to be is a conflict: a replica that lagged has taken over.
-- KEYS epoch lease head; ARGV token, owner, lease ms, seq. An older process gives neither head nor seq.
local function renew(keys, args)
  local refusal = fence(keys[1], args[1])
  if refusal then return refusal end
  if keys[3] then
    local seq = redis.call('HGET', keys[3], 'seq') or '0'
    if tonumber(seq) < tonumber(args[4]) then return redis.error_reply('CONFLICT ' .. seq) end
  end
  redis.call('SET', keys[2], args[2], 'PX', args[3])
  return 1
end

-- Give the lease up if it is still ours. KEYS epoch lease; ARGV token. Returns 1, or 0 when it was lost before.
local function release(keys, args)
  if redis.call('GET', keys[1]) ~= args[1] then return 0 end
  redis.call('DEL', keys[2])
  return 1
end

-- The verdicts that ids have, whose the stream is and how far it goes, at one instant. Writes nothing.
-- KEYS epoch head ids:<g> ids:<g+1> ids:<g+2>; ARGV g, horizon, ids...
-- Returns {token or '', seq, {verdict or nil of each id}}; no list where the stream's generation is neither g+1 nor g+2.
local function lookup(keys, args)
  local token = redis.call('GET', keys[1]) or ''
  local seq = redis.call('HGET', keys[2], 'seq') or '0'
  local at = math.floor(tonumber(seq) / tonumber(args[2])) - tonumber(args[1])
  if at ~= 1 and at ~= 2 then return {token, seq} end
  local found = {}
  for i = 3, #args, SLICE do
    local last = math.min(i + SLICE - 1, #args)
    local newer = redis.call('HMGET', keys[3 + at], unpack(args, i, last))
    local older = redis.call('HMGET', keys[2 + at], unpack(args, i, last))
    for j = 1, last - i + 1 do found[i + j - 3] = newer[j] or older[j] end
  end
  return {token, seq, found}
end

-- Add what became of clusters by a batch, numbered on. What Redis does not let in is of no log that ends here (a key of
-- another kind, ids beyond its seq): it goes, and whoever reads on finds numbers missing.
local function tell(head, key, args, first, last)
  for i = first, last do
    local id = args[2] .. '-' .. integer(i - first + 1)
    local entry = {'MAXLEN', '=', args[7], id, 'e', args[i], 'k', integer(redis.call('HINCRBY', head, 'events', 1))}
    local added = redis.pcall('XADD', key, unpack(entry))
    if type(added) == 'table' and added.err then
      redis.call('UNLINK', key)
      redis.call('XADD', key, unpack(entry))
    end
  end
end

-- Forget payloads and keep others: ARGV from `at` has a number, so many ids and payloads in turn, a number, so many ids.
-- They are no part of the log: a key of another kind goes.
local function keep(key, args, at)
  local last = at + 2 * tonumber(args[at])
  local stop = last + 1 + tonumber(args[last + 1])
  if stop == last + 1 and last == at then return end
  local there = redis.pcall('HLEN', key)
  if type(there) == 'table' and there.err then redis.call('UNLINK', key) end
  for i = last + 2, stop, SLICE do
    redis.call('HDEL', key, unpack(args, i, math.min(i + SLICE - 1, stop)))
  end
  for i = at + 1, last, 2 * SLICE do
    redis.call('HSET', key, unpack(args, i, math.min(i + 2 * SLICE - 1, last)))
  end
end

-- Add one batch: entry, verdicts, events, payloads and seq, all or nothing.
-- KEYS epoch head log ids:<g> ids:<g-1> ids:<g-2> events payloads
-- ARGV token, first seq, count, g, checksums, payload, most events, number of events, events..., number of payloads to
-- keep, id and payload of each, number of those to forget, their ids, then id and verdict of each item with an id. An
-- older process, as fs1_append, gives neither the keys of events and payloads nor what belongs to them.
-- Returns 1 when written, 0 when the very same batch was there already (its reply was lost).
local function append(keys, args)
  local refusal = fence(keys[1], args[1])
  if refusal then return refusal end
  local head = redis.call('HMGET', keys[2], 'seq', 'idgen')
  local entry = args[2] .. '-1'
  if head[1] ~= args[2] then
    local there = redis.call('XRANGE', keys[3], entry, entry)[1]
    if there then
      local fields = there[2]
      for i = 1, #fields, 2 do
        if fields[i] == 's' and fields[i + 1] == args[5] then
          -- Written again, unchanged: whoever waits for replicas needs a write of this connection to wait for.
          redis.call('HSET', keys[2], 'seq', head[1])
          return 0
        end
      end
    end
    return redis.error_reply('CONFLICT ' .. (head[1] or '0'))
  end

  local payloads, items = 0, 7
  if keys[7] then
    payloads = 9 + tonumber(args[8])
    local forgotten = payloads + 1 + 2 * tonumber(args[payloads])
    items = forgotten + 1 + tonumber(args[forgotten])
  end
  local ids, count = {}, 0
  for i = items, #args, 2 do
    count = count + 1
    ids[count] = args[i]
  end
  local taken = {}
  for i = 1, count, SLICE do
    local last = math.min(i + SLICE - 1, count)
    local newer = redis.call('HMGET', keys[4], unpack(ids, i, last))
    local older = redis.call('HMGET', keys[5], unpack(ids, i, last))
    for j = 1, last - i + 1 do
      if newer[j] or older[j] then taken[#taken + 1] = i + j - 2 end
    end
  end
  if #taken > 0 then
    return redis.error_reply('DUPLICATE ' .. table.concat(taken, ' '))
  end

  -- The first write; when Redis refuses it (a log longer than its head says) nothing has happened yet.
  local added = redis.pcall('XADD', keys[3], entry, 'n', args[3], 'p', args[6], 's', args[5],
    'e', string.match(args[1], '^%d+'))
  if type(added) == 'table' and added.err then
    return redis.error_reply('CONFLICT ' .. head[1])
  end
  for i = items, #args, 2 * SLICE do
    redis.call('HSET', keys[4], unpack(args, i, math.min(i + 2 * SLICE - 1, #args)))
  end
  local seq = integer(tonumber(args[2]) + tonumber(args[3]))
  if head[2] ~= args[4] then
    redis.call('UNLINK', keys[6])
    redis.call('HSET', keys[2], 'seq', seq, 'idgen', args[4])
  else
    redis.call('HSET', keys[2], 'seq', seq)
  end
  if keys[7] then
    tell(keys[2], keys[7], args, 9, payloads - 1)
    keep(keys[8], args, payloads)
  end
  return 1
end

-- Begin to save a snapshot: hands out a generation that no command still on its way can know.
-- KEYS epoch head log; ARGV token, seq, chunks. Returns the generation.
-- The seq must end a batch (the log is trimmed by whole batches) and not lie before the current snapshot's.
local function begin_snapshot(keys, args)
  local refusal = fence(keys[1], args[1])
  if refusal then return refusal end
  local head = redis.call('HMGET', keys[2], 'seq', 'cur', 'saving')
  if head[3] then
    return redis.error_reply('SAVING ' .. string.match(head[3], '^%d+'))
  end
  local entry = args[2] .. '-1'
  if head[1] ~= args[2] and #redis.call('XRANGE', keys[3], entry, entry) == 0 then
    return redis.error_reply('CONFLICT ' .. head[1])
  end
  if head[2] then
    local _, seq = parse_snapshot(head[2])
    if tonumber(args[2]) < tonumber(seq) then return redis.error_reply('CONFLICT ' .. seq) end
  end
  local generation = redis.call('HINCRBY', keys[2], 'gen', 1)
  redis.call('HSET', keys[2], 'saving', integer(generation) .. ' ' .. args[3])
  return generation
end

-- Store one chunk of the snapshot being saved. KEYS epoch head chunk; ARGV token, generation, bytes.
local function put_chunk(keys, args)
  local refusal = fence(keys[1], args[1])
  if refusal then return refusal end
  local saving = redis.call('HGET', keys[2], 'saving')
  if not saving or string.match(saving, '^%d+') ~= args[2] then
    return redis.error_reply('SAVING ' .. args[2])
  end
  redis.call('SET', keys[3], args[3])
  return 1
end

-- Drop what an interrupted save left. KEYS epoch head chunks...; ARGV token, generation.
-- Returns 1, or 0 when that save is not the one noted (it was dropped before, or has been flipped).
local function abandon_snapshot(keys, args)
  local refusal = fence(keys[1], args[1])
  if refusal then return refusal end
  local saving = redis.call('HGET', keys[2], 'saving')
  if not saving or string.match(saving, '^%d+') ~= args[2] then return 0 end
  for i = 3, #keys do redis.call('UNLINK', keys[i]) end
  redis.call('HDEL', keys[2], 'saving')
  return 1
end

-- Trim the log behind the older snapshot, at most TRIM entries a call. KEYS epoch head log; ARGV token.
-- Returns the number of entries dropped; call until it is 0. What shares a node of the stream with a kept entry
-- stays, at no cost.
local function trim(keys, args)
  local refusal = fence(keys[1], args[1])
  if refusal then return refusal end
  local prev = redis.call('HGET', keys[2], 'prev')
  if not prev then return 0 end
  local _, seq = parse_snapshot(prev)
  redis.call('HSET', keys[2], 'trimmed', seq)
  return redis.call('XTRIM', keys[3], 'MINID', '~', seq .. '-0', 'LIMIT', TRIM)
end

-- Make the saved snapshot the current one and the current one the previous, drop the one before, trim the log.
-- KEYS epoch head log, the new chunks, then the chunks of the generation that goes
-- ARGV token, generation, description, number of new chunks, generation that goes or '', generation known to be
-- corrupt or ''. A corrupt current snapshot goes instead of the good one before it.
-- Returns 1, or 0 when it was done already (its reply was lost).
local function flip_snapshot(keys, args)
  local refusal = fence(keys[1], args[1])
  if refusal then return refusal end
  local head = redis.call('HMGET', keys[2], 'saving', 'cur', 'prev')
  local saving, cur, prev = head[1], head[2], head[3]
  if cur and parse_snapshot(cur) == args[2] then return 0 end
  if not saving or string.match(saving, '^%d+') ~= args[2] then
    return redis.error_reply('SAVING ' .. args[2])
  end
  local chunks = tonumber(args[4])
  for i = 4, 3 + chunks do
    if redis.call('EXISTS', keys[i]) == 0 then return redis.error_reply('SAVING ' .. args[2]) end
  end
  local goes
  if cur and parse_snapshot(cur) == args[6] then
    goes = cur
  else
    goes, prev = prev, cur
  end
  if (goes and parse_snapshot(goes) or '') ~= args[5] then
    return redis.error_reply('SAVING ' .. args[2])
  end
  redis.call('HSET', keys[2], 'cur', args[3])
  if prev then redis.call('HSET', keys[2], 'prev', prev) end
  redis.call('HDEL', keys[2], 'saving')
  for i = 4 + chunks, #keys do redis.call('UNLINK', keys[i]) end
  trim({keys[1], keys[2], keys[3]}, {args[1]})
  return 1
end

-- Make a stream of what an import has written under other names: all of it or nothing.
-- KEYS lease bundle epoch, then the written names, then as many names that they get, in the same order, then streams
-- ARGV owner of the lease, bundle id, epoch token, number of names, the stream's. The lease ends with it.
local function adopt(keys, args)
  local lease = redis.call('GET', keys[1])
  if lease ~= args[1] then
    return redis.error_reply('FENCED 0 ' .. (lease or 'nobody'))
  end
  local n = tonumber(args[4])
  for i = 4, 3 + n do
    if redis.call('EXISTS', keys[i]) == 0 then return redis.error_reply('MISSING ' .. keys[i]) end
  end
  for i = 2, 3 + 2 * n do
    if (i < 4 or i > 3 + n) and redis.call('EXISTS', keys[i]) == 1 then
      return redis.error_reply('TAKEN ' .. keys[i])
    end
  end
  for i = 4, 3 + n do redis.call('RENAME', keys[i], keys[i + n]) end
  redis.call('SET', keys[3], args[3])
  redis.call('SET', keys[2], args[2])
  redis.call('DEL', keys[1])
  if args[5] then redis.call('SADD', keys[4 + 2 * n], args[5]) end
  return 1
end

-- Give a stream another bundle: what was written under other names becomes its state, the one that it had is kept.
-- KEYS epoch bundle kept head, then the written names, then as many names that they get, then the names that leave
-- ARGV token, bundle id, the one to be, note for kept, number of names, seq. Returns 1, or 0 when it was done already.
local function move(keys, args)
  local refusal = fence(keys[1], args[1])
  if refusal then return refusal end
  local bundle = redis.call('GET', keys[2])
  if bundle == args[3] and redis.call('GET', keys[3]) == args[4] then
    redis.call('SET', keys[3], args[4])  -- unchanged, for who waits for replicas
    return 0
  end
  if bundle ~= args[2] then return redis.error_reply('BUNDLE ' .. (bundle or '')) end
  local seq = redis.call('HGET', keys[4], 'seq')
  if seq ~= args[6] then return redis.error_reply('CONFLICT ' .. (seq or '0')) end
  local n = tonumber(args[5])
  for i = 5, 4 + n do
    if redis.call('EXISTS', keys[i]) == 0 then return redis.error_reply('MISSING ' .. keys[i]) end
  end
  for i = 5 + 2 * n, #keys do redis.call('UNLINK', keys[i]) end
  for i = 5, 4 + n do redis.call('RENAME', keys[i], keys[i + n]) end
  redis.call('SET', keys[2], args[3])
  redis.call('SET', keys[3], args[4])
  return 1
end

-- Keep an item that crashed the engine, in place of an earlier letter of the same id.
-- KEYS epoch dlq; ARGV token, id, letter, most letters.
local function quarantine(keys, args)
  local refusal = fence(keys[1], args[1])
  if refusal then return refusal end
  local letters = redis.call('HLEN', keys[2])
  if letters >= tonumber(args[4]) and redis.call('HEXISTS', keys[2], args[2]) == 0 then
    return redis.error_reply('FULL ' .. integer(letters))
  end
  redis.call('HSET', keys[2], args[2], args[3])
  return 1
end

-- Forget dead letters, or payloads. KEYS epoch dlq-or-payloads; ARGV token, ids... (at most SLICE). Returns how many there were.
local function drop_letters(keys, args)
  local refusal = fence(keys[1], args[1])
  if refusal then return refusal end
  if #args == 1 then return 0 end
  return redis.call('HDEL', keys[2], unpack(args, 2))
end

-- Write what webhooks are, are to be told, and were. KEYS epoch hooks pending deliveries
-- ARGV token, most deliveries, then what, name and value ('' drops it) of each; what: hook, pending, delivery.
local function record_hooks(keys, args)
  local refusal = fence(keys[1], args[1])
  if refusal then return refusal end
  for i = 3, #args, 3 do
    local what, name, value = args[i], args[i + 1], args[i + 2]
    local key = what == 'hook' and keys[2] or keys[3]
    if what == 'delivery' then
      redis.call('XADD', keys[4], 'MAXLEN', '=', args[2], '*', 'd', value)
    elseif value == '' then
      redis.call('HDEL', key, name)
    else
      redis.call('HSET', key, name, value)
    end
  end
  return 1
end

-- Note what is in hand; '' notes that the owner leaves in order. KEYS epoch hand; ARGV token, note.
local function set_hand(keys, args)
  local refusal = fence(keys[1], args[1])
  if refusal then return refusal end
  if args[2] == '' then
    redis.call('DEL', keys[2])
  else
    redis.call('SET', keys[2], args[2])
  end
  return 1
end

redis.register_function('fs1_acquire', acquire)
redis.register_function('fs1_adopt', adopt)
redis.register_function('fs1_append', append)
redis.register_function('fs1_commit', append)
redis.register_function('fs1_begin_snapshot', begin_snapshot)
redis.register_function('fs1_move', move)
redis.register_function('fs1_put_chunk', put_chunk)
redis.register_function('fs1_quarantine', quarantine)
redis.register_function('fs1_record_hooks', record_hooks)
redis.register_function{function_name = 'fs1_lookup', callback = lookup, flags = {'no-writes'}}
-- These only keep the lease or give memory back: they must work when memory is what is missing.
redis.register_function{function_name = 'fs1_renew', callback = renew, flags = {'allow-oom'}}
redis.register_function{function_name = 'fs1_release', callback = release, flags = {'allow-oom'}}
redis.register_function{function_name = 'fs1_abandon_snapshot', callback = abandon_snapshot, flags = {'allow-oom'}}
redis.register_function{function_name = 'fs1_flip_snapshot', callback = flip_snapshot, flags = {'allow-oom'}}
redis.register_function{function_name = 'fs1_trim', callback = trim, flags = {'allow-oom'}}
redis.register_function{function_name = 'fs1_drop_letters', callback = drop_letters, flags = {'allow-oom'}}
redis.register_function{function_name = 'fs1_forget_payloads', callback = drop_letters, flags = {'allow-oom'}}
redis.register_function{function_name = 'fs1_set_hand', callback = set_hand, flags = {'allow-oom'}}
