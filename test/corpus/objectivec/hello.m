#import <Foundation/Foundation.h>

int main(void) {
  printf("%s\n", [@"Hello, world!" UTF8String]);
}
