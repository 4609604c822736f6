import std/math

func circleArea*(radius: float): float = PI * radius * radius
