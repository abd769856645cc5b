-- What wrk sends: bodies of a file, drawn at random; ARGUMENTS: file, token, mean pause in ms.
local requests = {}

function init(arguments)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. arguments[2]
  for body in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format(nil, nil, nil, body)
  end
  local pause = tonumber(arguments[3])
  if pause > 0 then
    delay = function() return math.random(0, 2 * pause) end
  end
end

function request()
  return requests[math.random(#requests)]
end
