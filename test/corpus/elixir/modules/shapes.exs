defmodule Shapes do
  def area({:square, side}), do: side * side * 1.0
  def area({:circle, radius}), do: :math.pi() * radius * radius
end
