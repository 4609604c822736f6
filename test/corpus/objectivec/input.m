#import <Foundation/Foundation.h>

int main(void) {
  NSMutableArray *numbers = [NSMutableArray new];
  int count, number, sum = 0;
  scanf("%d", &count);
  while (scanf("%d", &number) == 1) {
    [numbers addObject:[NSNumber numberWithInt:number]];
    sum += number;
  }
  NSArray *sorted = [numbers sortedArrayUsingSelector:@selector(compare:)];
  printf("sum: %d\nlargest: %d\nmean: %.2f\n", sum, [[sorted lastObject] intValue], (double)sum / count);
}
