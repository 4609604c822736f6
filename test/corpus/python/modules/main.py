from shapes.circle import Circle
from shapes.square import Square

for shape in (Square(3), Circle(2)):
    print(f"{shape.name}: {shape.area():.2f}")
