local shapes = require("shapes")

print(("square: %.2f\ncircle: %.2f"):format(shapes.square(3), shapes.circle(2)))
