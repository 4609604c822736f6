#include <csignal>

int main() {
    std::raise(SIGFPE);
}
