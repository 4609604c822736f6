require_relative "shapes"

[Square.new(3), Circle.new(2)].each { |shape| puts format("%s: %.2f", shape.name, shape.area) }
