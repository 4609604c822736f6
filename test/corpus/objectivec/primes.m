#import <Foundation/Foundation.h>

int main(void) {
  int limit = 5000, last = 0, count = 0;
  NSMutableIndexSet *composite = [NSMutableIndexSet new];
  for (int i = 2; i <= limit; i++) {
    if ([composite containsIndex:i]) continue;
    count++;
    last = i;
    for (int j = i * i; j <= limit; j += i) [composite addIndex:j];
  }
  printf("%d primes up to %d, the last is %d\n", count, limit, last);
}
