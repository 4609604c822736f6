#include <iostream>

int main() {
  for (;;) std::cout << "harbour\n";
}
