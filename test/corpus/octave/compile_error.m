berths = [12, 7;
printf("%d\n", sum(berths));
