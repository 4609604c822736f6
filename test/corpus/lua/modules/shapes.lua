local shapes = {}

function shapes.square(side) return side ^ 2 end

function shapes.circle(radius) return math.pi * radius ^ 2 end

return shapes
