count = fscanf(stdin, '%d', 1);
numbers = fscanf(stdin, '%d', count);
printf("sum: %d\nlargest: %d\nmean: %.2f\n", sum(numbers), max(numbers), mean(numbers));
