for i = 1, #ARGV, 3 do
  local known = redis.call('HGET', KEYS[1], ARGV[i])
  -- Within the text of a value the quotes are escaped, so that this finds the document's own key only.
  local time = known and tonumber(string.match(known, '"timestamp":(-?%d+)'))
  if not time or time <= tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  end
end
