#import <Foundation/Foundation.h>

int main(void) {
  NSMutableArray *kept = [NSMutableArray new];
  while (1) {
    NSMutableData *data = [[NSMutableData alloc] initWithLength:1 << 20];
    memset([data mutableBytes], 7, 1 << 20);
    [kept addObject:data];
  }
}
