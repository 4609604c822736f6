while true
  printf("harbour\n");
end
