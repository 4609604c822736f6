printf("square: %.2f\n", square_area(3));
printf("circle: %.2f\n", circle_area(2));
