function area = square_area(side)
  area = side ^ 2;
end
