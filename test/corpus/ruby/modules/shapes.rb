Square = Struct.new(:side) do
  def name = "square"
  def area = side**2
end

Circle = Struct.new(:radius) do
  def name = "circle"
  def area = Math::PI * radius**2
end
