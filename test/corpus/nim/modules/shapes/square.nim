func squareArea*(side: float): float = side * side
