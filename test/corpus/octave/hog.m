kept = {};
while true
  kept{end + 1} = ones(1, 2 ^ 17);
end
