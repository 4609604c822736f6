#import <Foundation/Foundation.h>

int main(void) {
  printf("before\n");
  fflush(stdout);
  [NSException raise:@"Port" format:@"the harbour is closed"];
}
